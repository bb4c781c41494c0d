/** The parts of an open client, built once and handed to every action. */
import { createKeyPair, type Hex, type KeyPair, MainframeError } from '@mainframe/protocol'
import { Account } from './chain/account.ts'
import { Chain } from './chain/chain.ts'
import { type Clock, systemClock } from './clock.ts'
import { Directory } from './directory/directory.ts'
import { createExperience, type Experience } from './directory/experience.ts'
import { Completed } from './messages/completed.ts'
import { Outbox, type OutboxOptions } from './messages/outbox.ts'
import { Receiver, type ReceiverOptions } from './messages/receiver.ts'
import { Courier } from './network/courier.ts'
import { Entry } from './network/entry.ts'
import { Guards } from './network/guards.ts'
import { type Connect, connect as connectByLibp2p } from './network/host.ts'
import { Inbox } from './network/inbox.ts'
import { type MainframeOptions, resolveOptions, type Settings } from './options.ts'
import type { ChannelContext } from './payments/channels.ts'
import { type Random, randomBytes, systemRandom } from './random.ts'
import type { Store } from './store/store.ts'
import { readOrCreateSecret } from './store/values.ts'

/** Everything that actions work on. */
export interface ClientContext {
  settings: Settings
  clock: Clock
  random: Random
  store: Store
  chain: Chain
  account: Account
  channels: ChannelContext
  connect: Connect
  /** The inbox. */
  keyPair: KeyPair
  experience: Experience
  directory: Directory
  guards: Guards
  outbox: Outbox
  receiver: Receiver
  entry: Entry
  courier: Courier
  inbox: Inbox
}

/** Keys of the store. */
const INBOX_SECRET = 'inbox-secret'
const VOUCHER_SECRET = 'voucher-secret'
/** Wait before the directory is asked for again for somebody who wants to send. */
const DIRECTORY_RETRY_MS = 5_000

/** The store is open already; everything else is opened here, and closed again when that fails. */
export async function createContext(options: MainframeOptions): Promise<ClientContext> {
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
  options: MainframeOptions,
  settings: Settings,
  chain: Chain,
): Promise<ClientContext> {
  const { store, network, clock = systemClock, random = systemRandom } = options
  const { deployment, indexers } = network
  const account = await Account.open(chain, options.account)
  const keyPair = await inboxKeyPair(store, options.inboxSecretKey)
  const newSecret = () => randomBytes(32)
  const signerSecretKey = await readOrCreateSecret(store, VOUCHER_SECRET, newSecret)
  const channels: ChannelContext = { chain, account, store, signerSecretKey }
  const experience = createExperience()
  const { refreshMs } = settings.profile
  const fetch = options.fetch ?? globalThis.fetch
  const onFault = telling(options.onBackgroundError)
  const medium = settings.medium.token
  const parts = { chain, deployment, indexers, fetch, clock, medium, refreshMs, onFault }
  const directory = new Directory(parts)
  const shared = { settings, clock, random, store, chain, account, channels, keyPair }
  const known = { ...shared, experience, directory }
  const guards = await Guards.open(store, experience)
  const completed = await Completed.open(store, clock.now())
  const view = await directory.fresh()
  const context = wire({ ...known, guards, completed }, options)
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

type Known = Pick<
  ClientContext,
  | 'settings'
  | 'clock'
  | 'random'
  | 'store'
  | 'chain'
  | 'account'
  | 'channels'
  | 'keyPair'
  | 'experience'
  | 'directory'
  | 'guards'
> & { completed: Completed }

/** The parts that know each other only by callbacks: none of them calls before all are there. */
function wire(known: Known, options: MainframeOptions): ClientContext {
  const { settings, clock, random, store, directory, experience, keyPair } = known
  const connect = options.connect ?? connectByLibp2p
  const late = {
    pump: () => {},
    check: () => {},
    distrust: () => {},
    again: (_relays: readonly string[]) => {},
    operators: (): ReadonlySet<Hex> => new Set(),
  }
  const outbox = createOutbox(known, {
    onWork: () => late.pump(),
    onNothingBack: () => late.distrust(),
  })
  const onRoom = (relays: readonly string[]) => late.again(relays)
  const receiver = createReceiver(known, outbox, { ...options, onRoom })
  const shared = { directory, connect, clock, settings }
  const tell = telling(options.onBackgroundError)
  const onFatal = (error: unknown) => {
    outbox.failAll(error)
    tell(error)
  }
  const entry: Entry = new Entry({
    ...shared,
    channels: known.channels,
    guards: known.guards,
    experience,
    avoidedOperators: () => late.operators(),
    listener: {
      onReady: () => late.pump(),
      onAccepted: (shipment) => courier.onAccepted(shipment),
      onRefused: (shipment, reason) => courier.onRefused(shipment, reason),
      onLinkClosed: (unacknowledged) => courier.onLinkClosed(unacknowledged),
      onFatal,
      onRelay: () => late.check(),
    },
  })
  const onDirectoryError = (error: unknown) => {
    if (isPassing(error)) clock.after(DIRECTORY_RETRY_MS, () => late.pump())
    else onFatal(error)
  }
  const travel = { directory, experience, clock, random }
  const courier = new Courier({ source: outbox, entry, onDirectoryError, ...travel })
  const { deployment } = options.network
  const { publicKey } = keyPair
  const source = { deployment, receiver, store, random, publicKey, entry: () => entry.relay }
  const inbox = new Inbox({ ...shared, ...source })
  late.pump = () => courier.pump()
  late.check = () => void inbox.check()
  late.distrust = () => void entry.distrust().catch(onFatal) // the store failed
  // a relay that cannot be asked now is resumed there when it is connected again
  late.again = (relays) => void inbox.again(relays).catch(() => {})
  late.operators = () => inbox.operators
  return { ...known, connect, outbox, receiver, entry, courier, inbox }
}

function createOutbox(
  known: Known,
  listener: Pick<OutboxOptions, 'onWork' | 'onNothingBack'>,
): Outbox {
  const { settings, clock, random, experience, keyPair, directory } = known
  const { holdClass, hops, delayMs, times } = settings
  return new Outbox({
    clock,
    random,
    experience,
    replyTo: keyPair.publicKey,
    times,
    carriage: { holdClass, hops, delayMs },
    restMs: settings.profile.restMs,
    ...listener,
    onUnderpaid: () => directory.outdate(),
  })
}

function createReceiver(
  { settings, clock, random, keyPair, completed }: Known,
  outbox: Outbox,
  {
    onHandlerError,
    onRoom,
  }: Pick<MainframeOptions, 'onHandlerError'> & Pick<ReceiverOptions, 'onRoom'>,
): Receiver {
  return new Receiver({
    keyPair,
    clock,
    random,
    completed,
    ackDelayMs: settings.ackDelayMs,
    quietMs: settings.times.quietMs,
    acknowledge: (acknowledgement) => outbox.acknowledge(acknowledgement),
    onAcknowledgement: (acknowledgement) => outbox.onAcknowledgement(acknowledgement),
    onLoop: (token) => outbox.onLoop(token),
    onRoom,
    onHandlerError: telling(onHandlerError),
  })
}

/** Ends every part, those that send first. */
export async function closeContext(context: ClientContext): Promise<void> {
  const { outbox, courier, inbox, entry, receiver, chain } = context
  outbox.close(new MainframeError('NETWORK_CLOSED', 'The client was closed'))
  courier.close()
  await Promise.all([inbox.close(), entry.close()])
  receiver.close()
  chain.close()
}

/** A callback of the application only informs it: what it throws is its own business. */
function telling(tell: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return (error) => {
    try {
      tell?.(error)
    } catch {
      // nobody is there to be told
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof MainframeError && error.retryable
}

function otherInbox(): MainframeError {
  return new MainframeError(
    'CONFIG_INVALID',
    'The store belongs to another inbox; use the key that it was made with, or another store',
  )
}
