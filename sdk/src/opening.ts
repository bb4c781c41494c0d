/** Opening and closing the parts of a client. */
import { createKeyPair, type KeyPair, MainframeError } from '@mainframe/protocol'
import { openAside } from '#platform'
import { Account } from './chain/account.ts'
import { Chain } from './chain/chain.ts'
import { systemClock } from './clock.ts'
import type { ClientContext } from './context.ts'
import { Directory } from './directory/directory.ts'
import { createExperience } from './directory/experience.ts'
import { Completed } from './messages/completed.ts'
import { Guards } from './network/guards.ts'
import { resolveNetwork } from './network-profile.ts'
import {
  type ClientOptions,
  type MainframeOptions,
  resolveOptions,
  type Settings,
} from './options.ts'
import { Budget } from './payments/budget.ts'
import type { ChannelContext } from './payments/channels.ts'
import { randomBytes, systemRandom } from './random.ts'
import type { Store } from './store/store.ts'
import { readOrCreateSecret } from './store/values.ts'
import { telling, wire } from './wiring.ts'

/** Keys of the store. */
const INBOX_SECRET = 'inbox-secret'
const VOUCHER_SECRET = 'voucher-secret'

/** The store is open already; everything else is opened here, and closed again when that fails. */
export async function createContext(given: MainframeOptions): Promise<ClientContext> {
  const options = { ...given, network: await resolveNetwork(given.network, given.fetch) }
  const settings = resolveOptions(options)
  const { rpcUrl, deployment } = options.network
  const { pollMs } = settings.profile
  const chain = await Chain.open({ rpcUrl, deployment, pollMs })
  try {
    return await assemble(options, settings, chain)
  } catch (error) {
    chain.close()
    throw error
  }
}

async function assemble(
  options: ClientOptions,
  settings: Settings,
  chain: Chain,
): Promise<ClientContext> {
  const { store, network, clock = systemClock, random = systemRandom } = options
  const { deployment, indexers } = network
  const account = await Account.open(chain, options.account)
  const keyPair = await inboxKeyPair(store, options.inboxSecretKey)
  const newSecret = () => randomBytes(32)
  const signerSecretKey = await readOrCreateSecret(store, VOUCHER_SECRET, newSecret)
  const { token, mostBaseUnitsPerUnit: leastBase } = settings.medium
  const { budgetBasePerDay: limitBase } = settings
  const budget = new Budget({ store, clock, deployment, token, limitBase, leastBase })
  const channels: ChannelContext = { chain, account, store, signerSecretKey, budget }
  const experience = createExperience()
  const { refreshMs } = settings.profile
  const fetch = options.fetch ?? globalThis.fetch
  const onFault = telling(options.onBackgroundError)
  const medium = token
  const parts = { chain, deployment, indexers, fetch, clock, medium, refreshMs, onFault }
  const directory = new Directory(parts)
  const shared = { settings, clock, random, store, chain, account, channels, keyPair }
  const known = { ...shared, experience, directory }
  const guards = await Guards.open(store, experience)
  const completed = await Completed.open(store, clock.now())
  const view = await directory.fresh()
  const aside = await openAside()
  const context = wire({ ...known, guards, completed, aside }, options)
  context.entry.choose(view)
  return context
}

/** A key that is given must be the one that the store knows: its cursors belong to it. */
async function inboxKeyPair(store: Store, given: Uint8Array | undefined): Promise<KeyPair> {
  const create = () => given ?? randomBytes(32)
  const stored = await readOrCreateSecret(store, INBOX_SECRET, create)
  if (given && stored.some((byte, i) => byte !== given[i])) throw otherInbox()
  return createKeyPair(stored)
}

/** Ends every part, those that send first. */
export async function closeContext(context: ClientContext): Promise<void> {
  const { outbox, courier, inbox, groups, entry, receiver, chain } = context
  outbox.close(new MainframeError('NETWORK_CLOSED', 'The client was closed'))
  courier.close()
  await Promise.all([inbox.close(), groups.close(), entry.close()])
  receiver.close()
  chain.close()
}

function otherInbox(): MainframeError {
  return new MainframeError(
    'CONFIG_INVALID',
    'The store belongs to another inbox; use the key that it was made with, or another store',
  )
}
