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
import { type Copy, LAST_LEVEL, planSpread } from './spread.ts'

/** Prepaid credit: what is durable as vouchers, and what was debited from it. */
export interface Account {
  readonly durableUnits: number
  spentUnits: number
}

/** A packet that asks for treatment. Without an account it has no credit. */
export interface Arrival extends Shipment {
  account: Account | undefined
}

/** Everything that the rule looks at. It changes `seen`, `acted` and the arrival's account only. */
export interface RuleState extends Opener {
  nowMs: number
  view: OverlayView
  links: Iterable<LinkedPeer>
  /** This relay's own prices. */
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

/** Treats one packet. Synchronous, never throws, and refuses nothing after the debit. */
export function treat(state: RuleState, arrival: Arrival): Verdict {
  const { nowMs, seen, view } = state
  const header = decodePacket(arrival.packet, minutesNow(nowMs))
  if (typeof header === 'string') return { outcome: header }
  const id = packetId(arrival.packet)
  const level = spreadLevel(header, arrival.level)
  const seenLevel = seen.levelOf(id, nowMs)
  if (seenLevel !== undefined && level >= seenLevel) return duplicate(state, arrival)
  if (seen.isFull(nowMs)) return { outcome: 'busy' }
  const place = locate(view, header)
  const copy: KnownPacket = { arrival, header, id, level, seenLevel }
  if (!place.here) return passOn(state, copy, place.target)
  return header.luminosity === NAMED_RELAY
    ? arriveNamed(state, copy)
    : arrive(state, copy, place.alone)
}

/** A packet after step 2. */
interface KnownPacket {
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

/** A free duplicate would be a free flood, so it costs the route fee (§2, step 2). */
function duplicate({ prices }: RuleState, { account, postageUnits }: Arrival): Verdict {
  const fee = routeFee(prices)
  if (postageUnits < fee) return { outcome: 'underpaid' }
  return debit(account, fee) ? { outcome: 'seen' } : { outcome: 'no-credit' }
}

function passOn(state: RuleState, packet: KnownPacket, target: Target): Verdict {
  const { arrival, header } = packet
  const passed = roundDownPostage(arrival.postageUnits - routeFee(state.prices))
  const { links, view, random } = state
  const postageUnits = Math.max(1, passed)
  const to = chooseNextHop({ links, self: view.self, target, postageUnits, random })
  if (!to) return { outcome: 'busy' }
  if (passed < hopFee(to, header, minutesNow(state.nowMs))) return { outcome: 'underpaid' }
  if (!take(state, packet)) return { outcome: 'no-credit' }
  const shipment = { packet: arrival.packet, postageUnits: passed, level: arrival.level }
  return { outcome: 'forwarded', header, to, shipment }
}

function arriveNamed(state: RuleState, packet: KnownPacket): Verdict {
  const { arrival, header } = packet
  const fee = routeFee(state.prices)
  if (arrival.postageUnits < fee) return { outcome: 'underpaid' }
  if (!take(state, packet)) return { outcome: 'no-credit' }
  const budgetUnits = arrival.postageUnits - fee
  const sealed = { packet: arrival.packet, header, budgetUnits, nowMs: state.nowMs }
  return { outcome: 'named', opened: open(state, sealed) }
}

function arrive(state: RuleState, packet: KnownPacket, alone: boolean): Verdict {
  const { arrival, header, id, level, seenLevel } = packet
  const nowMinutes = minutesNow(state.nowMs)
  const fee = destinationFee(state.prices, header, nowMinutes)
  const isNew = seenLevel === undefined
  if (arrival.postageUnits < fee) return { outcome: 'underpaid' }
  if (isNew && !state.holdHasRoom) return { outcome: 'full' }
  if (!take(state, packet)) return { outcome: 'no-credit' }
  const budgetUnits = arrival.postageUnits - fee
  const sealed = { packet: arrival.packet, header, budgetUnits, nowMs: state.nowMs }
  const opened = isNew ? open(state, sealed) : undefined
  const coveredFrom = seenLevel ?? LAST_LEVEL
  const spread = { view: state.view, header, packetId: id, level, coveredFrom }
  const copies = alone ? [] : planSpread({ ...spread, budgetUnits, nowMinutes })
  return { outcome: isNew ? 'held' : 'respread', header, copies, opened }
}

/** Debits the whole postage and remembers the packet; false without enough credit. */
function take({ seen, nowMs }: RuleState, { arrival, id, level }: KnownPacket): boolean {
  if (!debit(arrival.account, arrival.postageUnits)) return false
  seen.note(id, level, nowMs)
  return true
}

function debit(account: Account | undefined, units: number): boolean {
  if (!account || account.durableUnits - account.spentUnits < units) return false
  account.spentUnits += units
  return true
}
