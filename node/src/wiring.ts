/** How the parts of a relay are put together; `Relay` starts and stops what comes out. */
import { join } from 'node:path'
import {
  type ChannelsDomain,
  type ErrorCode,
  errorCode,
  fromHex,
  lowerPrices,
  type RelayPrices,
  toHex,
} from '@mainframe/protocol'
import type { Accounts } from './accounts/accounts.ts'
import { ChargeMeter } from './accounts/charges.ts'
import type { GasMeter } from './accounts/gas-meter.ts'
import { Journal } from './accounts/journal.ts'
import { createAccounts } from './accounts/wiring.ts'
import type { Base, Hooks, Stores } from './base.ts'
import type { ChainSide } from './chain-side.ts'
import type { RelayConfig } from './config.ts'
import { HoldStore } from './holding/hold-store.ts'
import { Subscriptions } from './holding/subscriptions.ts'
import { AddressBook } from './links/address-book.ts'
import { askRelease } from './links/ask-release.ts'
import { createAddressesOf } from './links/dial-addresses.ts'
import { IncomingLinks } from './links/incoming.ts'
import { Network } from './links/network.ts'
import { createQuoter } from './links/own-quote.ts'
import { Peers } from './links/peers.ts'
import type { Logger } from './log.ts'
import { askedPrices } from './operator/prices.ts'
import { type AskPayee, createPayerChannels, createReleases, domainOf } from './payment-side.ts'
import { CreditLedger } from './payments/credit-ledger.ts'
import type { PayerChannels } from './payments/payer-channels.ts'
import { openSignedLog } from './payments/signed-log.ts'
import { openVoucherLog } from './payments/voucher-log.ts'
import { openMemory, saveMemory } from './routing/memory.ts'
import { OverlayKeeper } from './routing/overlay-keeper.ts'
import { Router, type RouterOptions } from './routing/router.ts'
import { LEDGER_FOLDER, SIGNED_FILE, VOUCHER_FILE } from './storage/names.ts'

/** The parts above chain and disk. */
export interface Parts {
  ledger: CreditLedger
  accounts: Accounts
  payerChannels: PayerChannels
  /** Asks a relay to let one of our channels to it go. */
  askRelease: AskPayee
  network: Network
  keeper: OverlayKeeper
  router: Router
  peers: Peers
  subscriptions: Subscriptions
  incoming: IncomingLinks
}

const COMPLAINT_MS = 60_000
/** What only the operator can mend when peers are not paid. */
const MONEY_TROUBLES: readonly ErrorCode[] = [
  'PAYMENT_INSUFFICIENT',
  'PAYMENT_NO_MEDIUM',
  'CHAIN_REJECTED',
]

/** Opens what is on disk. Errors as `AppendLog.open`. */
export async function openStores({ config, keys, log, closers }: Base): Promise<Stores> {
  const { dataFolder, holdQuotaBytes: quotaBytes, maxSeen: capacity } = config
  const vouchers = await openVoucherLog(join(dataFolder, VOUCHER_FILE))
  closers.add('vouchers', () => vouchers.close())
  const signed = await openSignedLog(join(dataFolder, SIGNED_FILE))
  closers.add('signed amounts', () => signed.close())
  const released = await openSignedLog(join(dataFolder, 'released.log'))
  closers.add('releases', () => released.close())
  for (const [file, { cutBytes }] of Object.entries({ vouchers, signed, released })) {
    if (cutBytes > 0) log.warn({ cutBytes }, `${file}.log ended in a write that was not finished`)
  }
  const journal = await Journal.open(join(dataFolder, LEDGER_FOLDER))
  closers.add('journal', () => journal.close())
  const holds = await HoldStore.open({ folder: join(dataFolder, 'holds'), quotaBytes })
  closers.add('holds', () => holds.close())
  const folder = join(dataFolder, 'routing')
  const memory = await openMemory({ folder, sealKey: keys.sealKey.publicKey, capacity })
  closers.add('memory', () => saveMemory(folder, memory))
  const onTrouble = (message: string) => log.warn(message)
  const book = await AddressBook.open({ path: join(dataFolder, 'peers.json'), onTrouble })
  closers.add('addresses', () => book.close())
  return { vouchers, signed, released, journal, holds, memory, book }
}

/** Builds the parts; nothing of them runs yet. Closers stop them in the right order. */
export function createParts(
  base: Base,
  stores: Stores,
  side: ChainSide & { gas: GasMeter },
  hooks: Hooks,
): Parts {
  const { config, keys, closers } = base
  const { chainId } = config.deployment
  const domain = domainOf(config)
  const charges = new ChargeMeter()
  const ledger = createLedger(base, stores, { side, domain, charges })
  const { onFailure } = hooks
  const accounts = createAccounts(base, stores, { ...side, ledger, charges, onFailure })
  const payerChannels = createPayerChannels(base, stores, { side, hooks })
  const network = new Network({
    nodeSeed: keys.nodeSeed,
    listen: config.listen,
    announce: config.announce,
    maxConnections: config.maxConnections,
    maxConnectionsPerSecond: config.maxConnectionsPerSecond,
    onReached: (nodeKey, address) => stores.book.note(toHex(nodeKey), address),
    lookup: { chainId, isPeer: (peerKey) => keeper.view?.members.has(peerKey) ?? false },
  })
  closers.add('network', () => network.stop())
  const keeper: OverlayKeeper = new OverlayKeeper({
    directory: side.directory,
    nodeKey: keys.nodeKey,
    epochSeconds: config.epochSeconds,
    onChange: (view) => peers.update(view),
  })
  const router: Router = createRouter(base, stores, {
    keeper,
    links: () => peers.links,
    onFailure: hooks.onFailure,
  })
  const complain = linkComplaints(base.log)
  const addressesOf = createAddressesOf(stores.book, network)
  const peers: Peers = new Peers({
    network,
    channels: payerChannels,
    router: withNews(router, hooks),
    domain,
    addressesOf,
    payWith: config.payWith.map(({ token }) => token),
    boardPrices: ({ peerKey }) => side.directory.byPeerKey(peerKey)?.prices,
    retryMs: Math.max(100, config.pollIntervalMs),
    answerTimeoutMs: config.answerTimeoutSeconds * 1_000,
    onTrouble: complain,
    onFailure: complain,
  })
  closers.add('peers', () => peers.stop())
  closers.add('overlay', () => keeper.stop())
  const ask: AskPayee = async (relay, body, stop) =>
    await askRelease(relay, body, { network, domain, addressesOf, signal: stop })
  const limit = config.maxSubscriptions
  const subscriptions = new Subscriptions({ holds: stores.holds, limit })
  const incoming = new IncomingLinks({
    chainId,
    channels: domain.contract,
    quotes: createQuoter({ ...quoteTerms(base, keeper), domain }),
    ledger,
    releases: createReleases(base, stores, { side, domain, ledger }),
    receive: (arrival) => router.receive(arrival),
    holds: stores.holds,
    subscriptions,
    onFailure: hooks.onFailure,
    onPeer: (peerKey) => peers.wake(peerKey),
    maxLinks: config.maxLinks,
  })
  closers.add('incoming links', () => incoming.stop())
  return {
    ledger,
    accounts,
    payerChannels,
    askRelease: ask,
    network,
    keeper,
    router,
    peers,
    subscriptions,
    incoming,
  }
}

function createLedger(
  { config, keys, closers }: Base,
  { vouchers, released }: Stores,
  wires: { side: ChainSide; domain: ChannelsDomain; charges: ChargeMeter },
): CreditLedger {
  const { side, domain, charges } = wires
  const { accept: media, maxWindowUnits, noticeSeconds: minNoticeSeconds } = config
  const { maxChainAgeSeconds: maxViewAgeSeconds } = config
  const ledger = new CreditLedger({
    directory: side.directory,
    viewAgeSeconds: () => side.follower.age.viewSeconds,
    maxViewAgeSeconds,
    vouchers,
    released,
    payee: keys.hotAccount,
    domain,
    terms: { media, minNoticeSeconds, maxWindowUnits },
    chargesOf: charges.chargesOf.bind(charges),
  })
  closers.add('ledger', () => ledger.close())
  return ledger
}

function createRouter(
  { config, keys, closers }: Base,
  { holds, memory }: Stores,
  wires: Pick<RouterOptions, 'links' | 'onFailure'> & { keeper: OverlayKeeper },
): Router {
  const { keeper, links, onFailure } = wires
  const router = new Router({
    view: () => keeper.view,
    prices: () => pricesNow(config, keeper.prices),
    links,
    holds,
    sealKeys: [keys.sealKey],
    memory,
    limits: { delayed: config.maxDelayed, owed: config.maxOwed },
    onFailure,
  })
  closers.add('router', () => router.stop())
  return router
}

/** That a peer is away is normal; that nobody can be paid is the operator's business, once a minute. */
function linkComplaints(log: Logger): (error: unknown) => void {
  let lastMs = 0
  return (error) => {
    const code = errorCode(error)
    const isMoney = code !== undefined && MONEY_TROUBLES.includes(code)
    if (!isMoney || Date.now() - lastMs < COMPLAINT_MS) {
      log.debug({ err: error }, 'A link to a peer failed')
      return
    }
    lastMs = Date.now()
    log.warn({ code }, error instanceof Error ? error.message : 'A peer cannot be paid')
  }
}

/** The router's ear for its links, with news of each that works. */
function withNews(router: Router, { onLinkUp }: Hooks) {
  return {
    onAccepted: router.onAccepted.bind(router),
    onRefused: router.onRefused.bind(router),
    onLost: router.onLost.bind(router),
    onLinkUp: (peerKey: string) => {
      router.onLinkUp(peerKey)
      onLinkUp()
    },
  }
}

function quoteTerms({ config, keys }: Base, keeper: OverlayKeeper) {
  const { accept: media, maxWindowUnits, noticeSeconds, confirmations } = config
  return {
    nodeSeed: keys.nodeSeed,
    payee: fromHex(keys.hotAccount, 20),
    media,
    maxWindowUnits,
    noticeSeconds,
    confirmations,
    self: () => {
      const { self } = keeper
      if (!self) return undefined
      const { nodeId, row, rates } = self
      return {
        nodeId,
        payee: fromHex(row.payee),
        prices: pricesNow(config, keeper.prices),
        rates,
      }
    },
  }
}

/** The board's, or our own where it does not have a cut yet: to ask less is always allowed. */
function pricesNow(config: RelayConfig, board: RelayPrices | undefined): RelayPrices | undefined {
  return board && lowerPrices(board, askedPrices(config))
}
