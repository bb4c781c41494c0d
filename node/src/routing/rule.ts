/** The one rule that every relay treats every packet by (PROTOCOL.md §2). */
import {
  decodePacket,
  destinationFee,
  minutesNow,
  NAMED_RELAY,
  type PacketHeader,
  type PacketRefusal,
  packetId,
  type RelayPrices,
  roundDownPostage,
  routeFee,
  type Shipment,
} from '@mainframe/protocol'
import { chooseNextHop, hopFee, type LinkedPeer } from './next-hop.ts'
import { type Opened, type Opener, open } from './opening.ts'
import { locate, type OverlayView, type Target } from './overlay.ts'
import type { SeenMemory } from './seen.ts'
import { type Copy, coveredLevel, LAST_LEVEL, planSpread } from './spread.ts'

/** Prepaid credit: what is durable as vouchers, and what was debited from it. */
export interface Account {
  readonly durableUnits: number
  spentUnits: number
  /** What for, where anybody keeps accounts. */
  readonly charges?: Charges | undefined
}

/**
 * What was debited, in units, by what it was charged for: the route fee, the fee for holding, what is
 * to be passed on, and what is left. None of it depends on what came of opening a packet.
 */
export interface Charges {
  route: number
  hold: number
  onward: number
  surplus: number
}

/** Whether what is prepaid and not spent pays for this much. Without an account nothing is prepaid. */
export function hasCredit(account: Account | undefined, units: number): account is Account {
  return account !== undefined && account.durableUnits - account.spentUnits >= units
}

/** All that a packet costs a link's account once it is taken. */
export function debit(account: Account, units: number): void {
  account.spentUnits += units
}

/** Prices that a link was quoted, and until when they hold. */
export interface QuotedPrices {
  prices: RelayPrices
  expiresAtMs: number
}

/** A packet that asks for treatment. Without an account it has no credit. */
export interface Arrival extends Shipment {
  account: Account | undefined
  /** Of its link, if it came over one. */
  quoted?: QuotedPrices | undefined
}

/** Everything that the rule looks at. It changes `seen`, `acted` and the arrival's account only. */
export interface RuleState extends Opener {
  nowMs: number
  view: OverlayView
  links: Iterable<LinkedPeer>
  /** This relay's own prices; those that the packet's link was quoted where they are lower. */
  prices: RelayPrices
  seen: SeenMemory
  /** Whether one more packet may be held. */
  holdHasRoom: boolean
  /** A number in 0..n-1, to choose among equal peers. */
  random(n: number): number
}

/** The outcome and what is now to be done; nothing is to be done for a refusal. */
export type Verdict =
  | { outcome: PacketRefusal | 'seen' }
  | { outcome: 'forwarded'; header: PacketHeader; to: LinkedPeer; shipment: Shipment }
  | { outcome: 'named'; opened: Opened }
  | {
      outcome: 'held' | 'respread'
      header: PacketHeader
      copies: readonly Copy[]
      opened: Opened
    }

/**
 * Treats one packet. Synchronous, never throws, and refuses nothing after the debit. All refusals
 * come before the memory is asked: what costs nothing must not tell what this relay has seen.
 */
export function treat(state: RuleState, arrival: Arrival): Verdict {
  const { nowMs, seen } = state
  const header = decodePacket(arrival.packet, minutesNow(nowMs))
  if (typeof header === 'string') return { outcome: header }
  const { account } = arrival
  if (!hasCredit(account, arrival.postageUnits)) return { outcome: 'no-credit' }
  const way = chooseWay(state, arrival, header)
  if (typeof way === 'string') return { outcome: way }
  if (seen.isFull(nowMs)) return { outcome: 'busy' }
  const id = packetId(arrival.packet)
  const level = spreadLevel(header, arrival.level)
  const seenLevel = seen.levelOf(id, nowMs)
  if (seenLevel !== undefined && level >= seenLevel) {
    const fee = routeFee(state.prices) // a free duplicate would be a free flood
    debit(account, fee)
    if (account.charges) account.charges.route += fee
    return { outcome: 'seen' }
  }
  debit(account, arrival.postageUnits)
  const verdict = take(state, { arrival, header, id, level, seenLevel }, way)
  if (account.charges) charge(account.charges, { state, arrival, way, verdict })
  return verdict
}

/** Counts what a packet's whole postage was debited for. */
function charge(
  charges: Charges,
  taken: { state: RuleState; arrival: Arrival; way: Way; verdict: Verdict },
): void {
  const { way, verdict, arrival } = taken
  const route = routeFee(taken.state.prices)
  const restUnits = arrival.postageUnits - route
  const hold = way.kind === 'destination' ? restUnits - way.budgetUnits : 0
  const onward = onwardUnits(way, verdict)
  charges.route += route
  charges.hold += hold
  charges.onward += onward
  charges.surplus += restUnits - hold - onward
}

function onwardUnits(way: Way, verdict: Verdict): number {
  if (way.kind === 'on') return way.postageUnits
  if (way.kind === 'named') return way.budgetUnits // for whatever may be inside
  let units = 0
  if ('copies' in verdict) for (const copy of verdict.copies) units += copy.postageUnits
  return units
}

/** Where a packet goes, once it is known that it can and that it pays enough. */
type Way =
  | { kind: 'on'; to: LinkedPeer; postageUnits: number }
  | { kind: 'named'; budgetUnits: number }
  | { kind: 'destination'; budgetUnits: number; alone: boolean }

/** A packet that was debited in whole. */
interface TakenPacket {
  arrival: Arrival
  header: PacketHeader
  id: Uint8Array
  level: number
  /** The lowest level seen before; `undefined` for a new packet. */
  seenLevel: number | undefined
}

/** The first destination takes the luminosity as its level; a named leg is not spread at all. */
function spreadLevel({ luminosity }: PacketHeader, level: number): number {
  return luminosity === NAMED_RELAY ? LAST_LEVEL : Math.max(level, luminosity)
}

/** Steps 3 and 4: where, and at what price. */
function chooseWay(
  state: RuleState,
  { postageUnits }: Arrival,
  header: PacketHeader,
): Way | PacketRefusal {
  const { view, prices, nowMs } = state
  const place = locate(view, header)
  if (!place.here) return wayOn(state, header, { target: place.target, postageUnits })
  const budgetUnits = postageUnits - destinationFee(prices, header, minutesNow(nowMs))
  if (budgetUnits < 0) return 'underpaid'
  if (header.luminosity === NAMED_RELAY) return { kind: 'named', budgetUnits }
  if (!state.holdHasRoom) return 'full'
  return { kind: 'destination', budgetUnits, alone: place.alone }
}

function wayOn(
  { links, view, prices, random, nowMs }: RuleState,
  header: PacketHeader,
  { target, postageUnits }: { target: Target; postageUnits: number },
): Way | PacketRefusal {
  const passed = roundDownPostage(postageUnits - routeFee(prices))
  const hop = { links, self: view.self, target, postageUnits: Math.max(1, passed), random }
  const to = chooseNextHop(hop)
  if (!to) return 'busy'
  if (passed < hopFee(to, header, minutesNow(nowMs))) return 'underpaid'
  return { kind: 'on', to, postageUnits: passed }
}

/** After the debit: remembers the packet and says what is now to be done. */
function take(state: RuleState, packet: TakenPacket, way: Way): Verdict {
  const { arrival, header, id, level } = packet
  const { seen, nowMs } = state
  if (way.kind === 'destination') return arrive(state, packet, way)
  seen.note(id, level, nowMs)
  if (way.kind === 'on') {
    const { to, postageUnits } = way
    const shipment = { packet: arrival.packet, postageUnits, level: arrival.level }
    return { outcome: 'forwarded', header, to, shipment }
  }
  const { budgetUnits } = way
  const opened = open(state, { packet: arrival.packet, header, budgetUnits, nowMs })
  return { outcome: 'named', opened }
}

function arrive(
  state: RuleState,
  { arrival, header, id, level, seenLevel }: TakenPacket,
  { budgetUnits, alone }: Way & { kind: 'destination' },
): Verdict {
  const { view, seen, nowMs } = state
  const isNew = seenLevel === undefined
  const span = { view, level, coveredFrom: seenLevel ?? LAST_LEVEL }
  const nowMinutes = minutesNow(nowMs)
  const copies = alone ? [] : planSpread({ ...span, header, packetId: id, budgetUnits, nowMinutes })
  seen.note(id, alone ? level : coveredLevel(span, copies), nowMs)
  const sealed = { packet: arrival.packet, header, budgetUnits, nowMs }
  const opened = isNew ? open(state, sealed) : undefined
  return { outcome: isNew ? 'held' : 'respread', header, copies, opened }
}
