/** Carries out what the rule decides: ships, holds, delays, retries and counts (PROTOCOL.md §2). */
import { randomInt } from 'node:crypto'
import {
  type KeyPair,
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
import { type Account, type Arrival, type RuleState, treat, type Verdict } from './rule.ts'
import type { SeenMemory } from './seen.ts'

/** A shipment with what to do when it fails. */
export interface Dispatch extends Shipment {
  errand:
    | { kind: 'transit'; header: PacketHeader; retried: boolean }
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

export class Router {
  readonly #options: Required<RouterOptions>
  readonly #delayed: DelayQueue<Shipment>
  readonly #outbox: Outbox
  #stopped = false
  readonly outcomes: Counts<PacketOutcome> = createCounts(PACKET_OUTCOMES)
  /** Never shown while it runs; published per interval (PROTOCOL.md §10). */
  readonly opened: Counts<OpenedOutcome> = createCounts(OPENED_OUTCOMES)
  /** Shipments to peers that failed for good. */
  undeliverable = 0
  /** Postage debited from links since the start; vouchers run ahead of it by what is prepaid. */
  debitedUnits = 0

  constructor(options: RouterOptions) {
    this.#options = { now: Date.now, random: randomInt, pad: padPacket, ...options }
    const { limits, now, random } = this.#options
    const onDue = (inner: Shipment) => this.#inject(inner)
    this.#delayed = new DelayQueue({ capacity: limits.delayed, onDue, now })
    const retry = (owed: OwedCopy) => this.#send(owed)
    this.#outbox = new Outbox({ capacity: limits.owed, retry, now, random })
  }

  get delayedCount(): number {
    return this.#delayed.size
  }

  get owedCount(): number {
    return this.#outbox.size
  }

  /** Forgets what waits: delayed and owed packets live in memory only. Nothing is taken any more. */
  stop(): void {
    this.#stopped = true
    this.#delayed.clear()
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

  /** A peer refused a packet; nothing was paid for it. */
  onRefused(dispatch: Dispatch, peerKey: string, reason: PacketRefusal): void {
    if (TEMPORARY.includes(reason)) this.#retry(dispatch, peerKey)
    else this.undeliverable += 1
  }

  /** A link ended before these were acknowledged: they go on at this relay's own risk (§3). */
  onLost(dispatches: readonly Dispatch[], peerKey: string): void {
    for (const dispatch of dispatches) this.#retry(dispatch, peerKey)
  }

  /** A link to this peer can take packets. */
  onLinkUp(peerKey: string): void {
    this.#outbox.wake(peerKey)
  }

  #treat(arrival: Arrival): PacketOutcome {
    const state = this.#state()
    if (!state) return 'busy'
    const verdict = treat(state, arrival)
    this.#carryOut(arrival, verdict)
    return verdict.outcome
  }

  #state(): RuleState | undefined {
    const { view, prices, links, holds, sealKeys, memory, now, random } = this.#options
    const [ownView, ownPrices] = [view(), prices()]
    if (this.#stopped || !ownView || !ownPrices) return undefined
    return {
      nowMs: now(),
      view: ownView,
      prices: ownPrices,
      links: links().values(),
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
        const errand = { kind: 'transit', header, retried: false } as const
        if (!this.#ship(to, { ...shipment, errand })) this.undeliverable += 1
        return
      }
      case 'named':
        this.#act(verdict.opened)
        return
      case 'held':
      case 'respread': {
        const { header, copies, opened } = verdict
        if (verdict.outcome === 'held') this.#options.holds.append(arrival.packet, header)
        this.#act(opened)
        for (const copy of copies) {
          this.#send({ packet: arrival.packet, header, copy, attempts: 0, dueMs: 0 })
        }
        return
      }
    }
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
    const waits = this.#delayed.push(dueMs, { packet: inner, postageUnits, level: 0 })
    this.opened[waits ? 'forward' : 'crowded'] += 1
  }

  /** Routes an inner packet, padded anew, as if it had just come in with its postage. */
  #inject({ packet, postageUnits, level }: Shipment): void {
    const account: Account = { durableUnits: postageUnits, spentUnits: 0 }
    const outcome = this.#treat({ packet: this.#options.pad(packet), postageUnits, level, account })
    if (!TAKEN.includes(outcome)) this.opened.lost += 1
    // no link acknowledges this packet, so none would make it durable
    if (outcome === 'held') this.#options.holds.flush().catch(this.#options.onFailure)
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
      if (!this.#resend(dispatch, errand, failedPeer)) this.undeliverable += 1
      return
    }
    errand.owed.failedPeer = failedPeer
    this.#keep(errand.owed)
  }

  /** A packet on its way tries one other peer, once, with the same postage. */
  #resend(
    dispatch: Dispatch,
    { header, retried }: { header: PacketHeader; retried: boolean },
    failedPeer: string,
  ): boolean {
    const view = this.#options.view()
    if (retried || !view) return false
    const place = locate(view, header)
    if (place.here) return false
    const { links, now, random } = this.#options
    const { postageUnits } = dispatch
    const to = chooseNextHop({
      links: links().values(),
      self: view.self,
      target: place.target,
      postageUnits,
      except: failedPeer,
      random,
    })
    if (!to || postageUnits < hopFee(to, header, minutesNow(now()))) return false
    return this.#ship(to, { ...dispatch, errand: { kind: 'transit', header, retried: true } })
  }
}

const TAKEN: readonly PacketOutcome[] = ['forwarded', 'named', 'held', 'respread']
