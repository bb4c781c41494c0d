/** What a relay shows its operator: `/status` and `/metrics`. */
import { type ChannelRow, type Hex, toHex } from '@mainframe/protocol'
import type { HoldStore } from './holding/hold-store.ts'
import type { Subscriptions } from './holding/subscriptions.ts'
import type { IncomingLinks } from './links/incoming.ts'
import type { Peers } from './links/peers.ts'
import type { Lag, LoopLag } from './loop-lag.ts'
import { type Metric, processMetrics } from './metrics.ts'
import type { ClaimResult } from './payments/claims.ts'
import type { CreditLedger, Earnings } from './payments/credit-ledger.ts'
import type { TowerFreshness } from './payments/watchtowers.ts'
import type { Counts, OpenedOutcome } from './routing/outcomes.ts'
import type { OverlayKeeper } from './routing/overlay-keeper.ts'
import type { Router } from './routing/router.ts'

/** The parts of a running relay that are looked at. */
export interface Observed {
  account: Hex
  /** The MFT contract. */
  mft: Hex
  keeper: OverlayKeeper
  router: Router
  peers: Peers
  incoming: IncomingLinks
  holds: HoldStore
  subscriptions: Subscriptions
  ledger: Pick<CreditLedger, 'earned' | 'unitsOf'>
  /** Our channels to other relays, as confirmed. */
  outgoing(): Iterable<ChannelRow>
  opened: OpenedReport
  lag: Pick<LoopLag, 'published'>
  /** The newest confirmed block, and how old it is. */
  chainView(): { block: number; ageSeconds: number }
  /** How fresh the watchtowers' copies are. */
  freshness(): readonly TowerFreshness[]
  lastClaim(): ClaimResult | undefined
  isReady(): boolean
}

/** JSON of `GET /status`; amounts in base units. */
export interface RelayStatus extends Earnings {
  nodeId: Hex
  address: Hex
  /** The hot account: manager, payee and payer. */
  account: Hex
  /** The MFT contract. */
  mft: Hex
  ready: boolean
  /** Relays of the network, this one included, and its luminosity. */
  relays: number
  luminosity: number
  links: { wanted: number; usable: number; incoming: number; subscriptions: number }
  /** Packets from links by outcome, since the start. */
  outcomes: Record<string, number>
  /** Packets that were forwarded, held or for this very relay. */
  carried: number
  /** As of the last interval. */
  opened: Counts<OpenedOutcome>
  held: { packets: number; bytes: number }
  queues: {
    /** Packets that wait for their delay, as of the last interval. */
    delayed: number
    /** Copies that wait for an absent neighbour. */
    owed: number
    /** Packets that wait for credit or room on a link to a peer, and that one has not acknowledged. */
    linked: number
    unacknowledged: number
    /** Frames that payers and subscribers have not read. */
    unread: number
    /** Bytes of packets that wait for the disk. */
    unwrittenBytes: number
  }
  /** The newest confirmed block, and the seconds since its time. */
  chain: { block: number; ageSeconds: number }
  undeliverable: number
  vouchers: Record<string, number>
  /** Wishes of payers to end a channel at once. */
  releases: Record<string, number>
  linkFaults: Record<string, number>
  /** Links to peers that came to nothing, since the start. */
  peerFailures: Record<string, number>
  /** Postage debited since the start, in units; what was earned runs ahead by what is prepaid. */
  debitedUnits: number
  /** Postage of what peers took since the start, in units; the rest of the debits is earned. */
  passedOnUnits: number
  /** By token: every medium that is accepted, and others that are still owed. The fields beside it are MFT's. */
  earnings: Readonly<Record<Hex, Earnings>>
  lastClaim: Pick<ClaimResult, 'txHash' | 'rows' | 'paid'> | null
  /** Channels to other relays: those that are not closed, those of them that are closing, what lies in them by token. */
  outgoing: { channels: number; closing: number; locked: Readonly<Record<Hex, bigint>> }
  /** What each watchtower lacks of our vouchers, and when it last answered (Unix milliseconds). */
  watchtowers: readonly TowerFreshness[]
}

const NO_EARNINGS: Earnings = { earnedBase: 0n, claimedBase: 0n, unclaimedBase: 0n }

/**
 * What came of opening, the packets that wait for their delay included: published once an interval,
 * so that nobody sees a packet in it (PROTOCOL.md §10).
 */
export class OpenedReport {
  readonly #timer: NodeJS.Timeout
  #published: { opened: Counts<OpenedOutcome>; delayed: number }

  constructor(router: Pick<Router, 'opened' | 'delayedCount'>, intervalMs: number) {
    const read = () => ({ opened: { ...router.opened }, delayed: router.delayedCount })
    this.#published = read()
    this.#timer = setInterval(() => {
      this.#published = read()
    }, intervalMs)
    this.#timer.unref()
  }

  get published(): { opened: Counts<OpenedOutcome>; delayed: number } {
    return this.#published
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

export function relayStatus(parts: Observed): RelayStatus {
  const { keeper, router, peers, incoming, holds, subscriptions } = parts
  const { self, view } = keeper
  const claim = parts.lastClaim()
  const earnings = parts.ledger.earned()
  const { opened, delayed } = parts.opened.published
  return {
    nodeId: toHex(self?.nodeId ?? new Uint8Array(0)),
    address: toHex(self?.address ?? new Uint8Array(0)),
    account: parts.account,
    mft: parts.mft,
    ready: parts.isReady(),
    relays: (view?.others.length ?? 0) + 1,
    luminosity: view?.luminosity ?? 0,
    links: { ...peers.counts, incoming: incoming.count, subscriptions: subscriptions.count },
    outcomes: { ...router.outcomes },
    carried: carried(router),
    opened: { ...opened },
    held: { packets: holds.count, bytes: holds.bytes },
    queues: {
      delayed,
      owed: router.owedCount,
      linked: peers.backlog.queued,
      unacknowledged: peers.backlog.unacknowledged,
      unread: incoming.unread,
      unwrittenBytes: holds.pendingBytes,
    },
    chain: parts.chainView(),
    undeliverable: router.undeliverable,
    vouchers: { ...incoming.credits },
    releases: { ...incoming.releases },
    linkFaults: { ...incoming.faults },
    peerFailures: { ...peers.failures },
    debitedUnits: router.debitedUnits,
    passedOnUnits: router.passedOnUnits,
    ...(earnings[parts.mft] ?? NO_EARNINGS),
    earnings,
    outgoing: outgoing(parts.outgoing()),
    watchtowers: parts.freshness().map((tower) => ({ ...tower })),
    lastClaim: claim ? { txHash: claim.txHash, rows: claim.rows, paid: claim.paid } : null,
  }
}

/** The metrics of docs/metrics.md. */
export function relayMetrics(parts: Observed): Metric[] {
  const status = relayStatus(parts)
  const gauge = (name: string, help: string, value: number): Metric => ({
    name: `mainframe_relay_${name}`,
    help,
    type: 'gauge',
    value,
  })
  const counters = (name: string, help: string, values: Record<string, number>): Metric => ({
    name: `mainframe_relay_${name}_total`,
    help,
    type: 'counter',
    value: { label: 'outcome', values },
  })
  return [
    counters('packets', 'Packets from links by outcome.', status.outcomes),
    counters('opened', 'What was opened, as of the last interval.', status.opened),
    counters('vouchers', 'Vouchers by outcome.', status.vouchers),
    counters('releases', 'Requests for a release by outcome.', status.releases),
    counters('link_faults', 'Links ended for a fault of the peer.', status.linkFaults),
    counters('peer_failures', 'Links to peers that came to nothing.', status.peerFailures),
    {
      name: 'mainframe_relay_undeliverable_total',
      help: 'Shipments to peers that were given up.',
      type: 'counter',
      value: status.undeliverable,
    },
    gauge('links_wanted', 'Peers this relay wants a link to.', status.links.wanted),
    gauge('links_usable', 'Peers that can be paid and sent to.', status.links.usable),
    gauge('links_incoming', 'Links that pay this relay or subscribe.', status.links.incoming),
    gauge('channels_outgoing', 'Channels to other relays.', status.outgoing.channels),
    gauge('channels_closing', 'Those of them that are closing.', status.outgoing.closing),
    gauge(
      'watchtower_behind_units',
      'Units that the best copy of our vouchers lacks.',
      behindUnits(status, parts.ledger),
    ),
    gauge('subscriptions', 'Subscribers.', status.links.subscriptions),
    gauge('held_packets', 'Packets on disk or about to be.', status.held.packets),
    gauge('held_bytes', 'Bytes of them.', status.held.bytes),
    gauge(
      'delayed_packets',
      'Packets that wait for their delay, as of the last interval.',
      status.queues.delayed,
    ),
    gauge('owed_copies', 'Copies that wait for an absent neighbour.', status.queues.owed),
    gauge('link_queued_packets', 'Packets that wait on links to peers.', status.queues.linked),
    gauge(
      'link_unacknowledged_packets',
      'Packets that peers have not acknowledged.',
      status.queues.unacknowledged,
    ),
    gauge(
      'unread_frames',
      'Frames that payers and subscribers have not read.',
      status.queues.unread,
    ),
    gauge(
      'unwritten_bytes',
      'Bytes of packets that wait for the disk.',
      status.queues.unwrittenBytes,
    ),
    gauge('chain_block', 'Number of the newest confirmed block.', status.chain.block),
    gauge('chain_age_seconds', 'Age of the newest confirmed block.', status.chain.ageSeconds),
    lagMetric(parts.lag.published),
    gauge('network_relays', 'Active relays of the network.', status.relays),
    gauge('luminosity_bits', 'Luminosity of the network.', status.luminosity),
    ...processMetrics(),
  ]
}

function lagMetric({ p50, p99, max }: Lag): Metric {
  return {
    name: 'mainframe_relay_event_loop_lag_seconds',
    help: 'How late the event loop was in the last ten seconds.',
    type: 'gauge',
    value: { label: 'quantile', values: { '0.5': p50, '0.99': p99, '1': max } },
  }
}

/** Of the best copy: one watchtower is enough to claim. */
function behindUnits({ watchtowers, earnings }: RelayStatus, ledger: Observed['ledger']): number {
  const unclaimed = Object.entries(earnings).map(
    ([token, of]) => [token, of.unclaimedBase] as const,
  )
  const copies = [...watchtowers.map(({ behind }) => Object.entries(behind)), unclaimed]
  const units = copies.map((bases) =>
    bases.reduce((sum, [token, base]) => sum + ledger.unitsOf(token as Hex, base), 0),
  )
  return Math.min(...units)
}

function outgoing(rows: Iterable<ChannelRow>): RelayStatus['outgoing'] {
  const locked: Record<Hex, bigint> = {}
  const sum = { channels: 0, closing: 0, locked }
  for (const { token, state, deposit, claimed } of rows) {
    sum.channels += 1
    if (state === 'closing') sum.closing += 1
    locked[token] = (locked[token] ?? 0n) + deposit - claimed
  }
  return sum
}

function carried({ outcomes }: Router): number {
  return outcomes.forwarded + outcomes.named + outcomes.held
}
