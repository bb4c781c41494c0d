/** Carries out what the rule decides: ships, holds, delays, retries and counts (PROTOCOL.md §2). */
import { randomInt } from 'node:crypto'
import {
  type KeyPair,
  lowerPrices,
  minutesNow,
  type PacketHeader,
  type PacketRefusal,
  padPacket,
  type RelayPrices,
  type Shipment,
} from '@mainframe/protocol'
import { DelayQueue } from './delay-queue.ts'
import { chooseNextHop, hopFee, type LinkedPeer } from './next-hop.ts'
import type { Opened } from './opening.ts'
import { Outbox, type OwedCopy } from './outbox.ts'
import {
  type Counts,
  createCounts,
  OPENED_OUTCOMES,
  type OpenedOutcome,
  PACKET_OUTCOMES,
  type PacketOutcome,
} from './outcomes.ts'
import { locate, type OverlayView } from './overlay.ts'
import {
  type Account,
  type Arrival,
  type QuotedPrices,
  type RuleState,
  treat,
  type Verdict,
} from './rule.ts'
import type { SeenMemory } from './seen.ts'

/** A shipment with what to do when it fails. */
export interface Dispatch extends Shipment {
  errand:
    | { kind: 'transit'; header: PacketHeader; attempts: number; risked: boolean }
    | { kind: 'copy'; owed: OwedCopy }
}

/** A paid link to a peer. */
export interface PacketLink extends LinkedPeer {
  /** False when it cannot take it; otherwise it reports a refusal or loss to the router. */
  ship(dispatch: Dispatch): boolean
}

/** What was seen and acted on, and how far that goes back. */
export interface RoutingMemory {
  seen: SeenMemory
  acted: SeenMemory
  forgottenUntilMinutes: number
}

export interface RouterOptions {
  /** `undefined` until this relay is registered and knows its address. */
  view(): OverlayView | undefined
  /** Own prices; `undefined` while the board has none in force. */
  prices(): RelayPrices | undefined
  links(): ReadonlyMap<string, PacketLink>
  holds: {
    readonly hasRoom: boolean
    append(packet: Uint8Array, header: PacketHeader): void
    flush(): Promise<void>
  }
  sealKeys: readonly KeyPair[]
  memory: RoutingMemory
  limits: { delayed: number; owed: number }
  /** The disk refused what nobody waits for. */
  onFailure(error: unknown): void
  now?: () => number
  /** A number in 0..n-1; of cryptographic quality outside tests. */
  random?: (n: number) => number
  /** Fills a layer up to a packet, with random padding. */
  pad?: (layer: Uint8Array) => Uint8Array
}

/** Refusals after which another peer, or another moment, may do better. */
const TEMPORARY: readonly PacketRefusal[] = ['busy', 'full', 'no-credit']
/** A packet that finds no way waits this long, then twice as long, and so on, until it expires. */
const FIRST_WAIT_MS = 25
const LONGEST_WAIT_MS = 60_000

/** What was in a FORWARD: a layer while it waits for its delay, then a packet. */
interface Inner {
  shipment: Shipment
  attempts: number
}

export class Router {
  readonly #options: Required<RouterOptions>
  /** What was opened and waits, for its delay or for a way: its number is no one's to see at once. */
  readonly #delayed: DelayQueue<Inner>
  /** What is on its way, and no peer could take when it was last tried. */
  readonly #stranded: DelayQueue<Dispatch>
  readonly #outbox: Outbox
  #stopped = false
  readonly outcomes: Counts<PacketOutcome> = createCounts(PACKET_OUTCOMES)
  /** Never shown while it runs; published per interval (PROTOCOL.md §10). */
  readonly opened: Counts<OpenedOutcome> = createCounts(OPENED_OUTCOMES)
  /** Shipments to peers that failed for good. */
  undeliverable = 0
  /** Postage debited from links since the start; vouchers run ahead of it by what is prepaid. */
  debitedUnits = 0
  /** Postage of what peers took since the start: what of the debits went on to others. */
  passedOnUnits = 0

  constructor(options: RouterOptions) {
    this.#options = { now: Date.now, random: randomInt, pad: padPacket, ...options }
    const { limits, now, random } = this.#options
    const inject = (inner: Inner) => this.#inject(inner)
    this.#delayed = new DelayQueue({ capacity: limits.delayed, onDue: inject, now })
    const resend = (dispatch: Dispatch) => this.#resend(dispatch)
    this.#stranded = new DelayQueue({ capacity: limits.owed, onDue: resend, now })
    const retry = (owed: OwedCopy) => this.#send(owed)
    this.#outbox = new Outbox({ capacity: limits.owed, retry, now, random })
  }

  get delayedCount(): number {
    return this.#delayed.size
  }

  get owedCount(): number {
    return this.#outbox.size + this.#stranded.size
  }

  /** Forgets what waits: delayed and owed packets live in memory only. Nothing is taken any more. */
  stop(): void {
    this.#stopped = true
    this.#delayed.clear()
    this.#stranded.clear()
    this.#outbox.clear()
  }

  /** Treats a packet from a link and counts what became of it. */
  receive(arrival: Arrival): PacketOutcome {
    const spentBefore = arrival.account?.spentUnits ?? 0
    const outcome = this.#treat(arrival)
    this.outcomes[outcome] += 1
    this.debitedUnits += (arrival.account?.spentUnits ?? 0) - spentBefore
    return outcome
  }

  /** A peer took a packet. A duplicate cost less than this, the route fee. */
  onAccepted({ postageUnits }: Dispatch): void {
    this.passedOnUnits += postageUnits
  }

  /** A peer refused a packet; nothing was paid for it. */
  onRefused(dispatch: Dispatch, peerKey: string, reason: PacketRefusal): void {
    if (TEMPORARY.includes(reason)) this.#retry(dispatch, peerKey)
    else this.undeliverable += 1
  }

  /** A link ended before these were acknowledged: they go on at this relay's own risk (§3). */
  onLost(dispatches: readonly Dispatch[], peerKey: string): void {
    for (const dispatch of dispatches) {
      if (dispatch.errand.kind !== 'transit') this.#retry(dispatch, peerKey)
      else if (dispatch.errand.risked) this.undeliverable += 1
      else this.#retry(risk(dispatch, dispatch.errand), peerKey)
    }
  }

  /** A link to this peer can take packets. */
  onLinkUp(peerKey: string): void {
    this.#outbox.wake(peerKey)
  }

  #treat(arrival: Arrival): PacketOutcome {
    const state = this.#state(arrival.quoted)
    if (!state) return 'busy'
    const verdict = treat(state, arrival)
    this.#carryOut(arrival, verdict)
    return verdict.outcome
  }

  #state(quoted: QuotedPrices | undefined): RuleState | undefined {
    const { view, prices, links, holds, sealKeys, memory, random, now } = this.#options
    const [ownView, ownPrices] = [view(), prices()]
    if (this.#stopped || !ownView || !ownPrices) return undefined
    const nowMs = now()
    const isQuoted = quoted !== undefined && nowMs < quoted.expiresAtMs
    return {
      nowMs,
      view: ownView,
      prices: isQuoted ? lowerPrices(ownPrices, quoted.prices) : ownPrices,
      links: { [Symbol.iterator]: () => links().values() }, // looked at only to pass on
      sealKeys,
      seen: memory.seen,
      acted: memory.acted,
      forgottenUntilMinutes: memory.forgottenUntilMinutes,
      holdHasRoom: holds.hasRoom,
      random,
    }
  }

  #carryOut(arrival: Arrival, verdict: Verdict): void {
    switch (verdict.outcome) {
      case 'forwarded': {
        const { header, shipment, to } = verdict
        const errand = { kind: 'transit', header, attempts: 0, risked: false } as const
        if (!this.#ship(to, { ...shipment, errand })) this.undeliverable += 1
        return
      }
      case 'named':
        this.#act(verdict.opened)
        return
      case 'held':
      case 'respread': {
        const { header, copies, opened } = verdict
        if (verdict.outcome === 'held') this.#hold(arrival.packet, header)
        this.#act(opened)
        for (const copy of copies) {
          this.#send({ packet: arrival.packet, header, copy, attempts: 0, dueMs: 0 })
        }
        return
      }
    }
  }

  /** Subscribers are told once it is durable, and not every packet has a link to acknowledge it to. */
  #hold(packet: Uint8Array, header: PacketHeader): void {
    const { holds, onFailure } = this.#options
    holds.append(packet, header)
    holds.flush().catch(onFailure)
  }

  /** Obeys what was opened. Nothing of it is told to anybody. */
  #act(opened: Opened): void {
    if (!opened) return
    if (opened.outcome !== 'forward') {
      this.opened[opened.outcome] += 1
      return
    }
    const { delayMs, postageUnits, inner } = opened.forward
    const dueMs = this.#options.now() + delayMs
    const shipment = { packet: inner, postageUnits, level: 0 }
    const waits = this.#delayed.push(dueMs, { shipment, attempts: 0 })
    this.opened[waits ? 'forward' : 'crowded'] += 1
  }

  /** Routes an inner packet, padded anew, as if it had just come in with its postage. */
  #inject({ shipment: sent, attempts }: Inner): void {
    const shipment = attempts === 0 ? { ...sent, packet: this.#options.pad(sent.packet) } : sent
    const account: Account = { durableUnits: shipment.postageUnits, spentUnits: 0 }
    const outcome = this.#treat({ ...shipment, account })
    if (TAKEN.includes(outcome)) return
    const isTemporary = (TEMPORARY as readonly PacketOutcome[]).includes(outcome)
    const waits = isTemporary && !this.#stopped
    const again = { shipment, attempts: attempts + 1 }
    if (!waits || !this.#delayed.push(this.#waitUntil(attempts), again)) this.opened.lost += 1
  }

  /** When to try again, in milliseconds since the Unix epoch. */
  #waitUntil(attempts: number): number {
    const wholeMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts, 16))
    const { now, random } = this.#options
    return now() + wholeMs / 2 + random(Math.ceil(wholeMs / 2))
  }

  #ship(to: LinkedPeer, dispatch: Dispatch): boolean {
    return this.#options.links().get(to.relay.peerKey)?.ship(dispatch) ?? false
  }

  /** Sends a copy to one of the relays that it is for, or keeps it for later. */
  #send(owed: OwedCopy): void {
    const { packet, copy, failedPeer } = owed
    const { level, postageUnits } = copy
    const usable = copy.relays
      .map(({ peerKey }) => this.#options.links().get(peerKey))
      .filter((link) => link?.canTake(postageUnits))
    const link = usable.find((peer) => peer?.relay.peerKey !== failedPeer) ?? usable[0]
    const dispatch: Dispatch = { packet, level, postageUnits, errand: { kind: 'copy', owed } }
    if (!link?.ship(dispatch)) this.#keep(owed)
  }

  /** For later, unless everybody that it is for has left the network. */
  #keep(owed: OwedCopy): void {
    const members = this.#options.view()?.members
    const isWanted = owed.copy.relays.some(({ peerKey }) => members?.has(peerKey))
    if (!isWanted || !this.#outbox.keep(owed)) this.undeliverable += 1
  }

  #retry(dispatch: Dispatch, failedPeer: string): void {
    if (this.#stopped) return
    const { errand } = dispatch
    if (errand.kind === 'transit') {
      // another peer at once, but then with growing pauses: two that are busy must not heat up
      if (errand.attempts === 0) this.#resend(dispatch, failedPeer)
      else this.#strand(dispatch, errand.attempts)
      return
    }
    errand.owed.failedPeer = failedPeer
    this.#keep(errand.owed)
  }

  /** A packet on its way tries the next best peer with the same postage, or waits for one. */
  #resend(dispatch: Dispatch, failedPeer?: string): void {
    const view = this.#options.view()
    if (this.#stopped || !view || dispatch.errand.kind !== 'transit') return
    const { header, attempts, risked } = dispatch.errand
    const nowMinutes = minutesNow(this.#options.now())
    const place = locate(view, header)
    if (place.here || header.expiryMinutes <= nowMinutes) {
      this.undeliverable += 1
      return
    }
    const { postageUnits } = dispatch
    const to = chooseNextHop({
      links: this.#options.links().values(),
      self: view.self,
      target: place.target,
      postageUnits,
      ...(failedPeer === undefined ? {} : { except: failedPeer }),
      random: this.#options.random,
    })
    const errand = { kind: 'transit', header, attempts: attempts + 1, risked } as const
    const isPaid = to !== undefined && postageUnits >= hopFee(to, header, nowMinutes)
    if (isPaid && this.#ship(to, { ...dispatch, errand })) return
    this.#strand({ ...dispatch, errand }, attempts)
  }

  #strand(dispatch: Dispatch, attempts: number): void {
    if (!this.#stranded.push(this.#waitUntil(attempts), dispatch)) this.undeliverable += 1
  }
}

/** It may have been treated already and is paid for again: once is enough (§3). */
function risk(dispatch: Dispatch, errand: Dispatch['errand'] & { kind: 'transit' }): Dispatch {
  return { ...dispatch, errand: { ...errand, risked: true } }
}

const TAKEN: readonly PacketOutcome[] = ['forwarded', 'named', 'held', 'respread']
