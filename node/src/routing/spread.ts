/** Spreading a packet over the relays that match it, each reached exactly once (PROTOCOL.md §6). */
import { compareDistance, destinationFee, type PacketHeader } from '@mainframe/protocol'
import type { OverlayRelay, OverlayView } from './overlay.ts'

/** Level of a copy that is not spread further. */
export const LAST_LEVEL = 256
/**
 * Fees fall by the minute: a copy is paid as of a minute ago, so that clocks that differ a little
 * do not make it underpaid.
 */
const CLOCK_SLACK_MINUTES = 1

/** One copy to send. */
export interface Copy {
  level: number
  /** The relays that it is responsible for and pays; any one of them may receive it. */
  relays: readonly OverlayRelay[]
  postageUnits: number
}

export interface SpreadInput {
  view: OverlayView
  header: PacketHeader
  packetId: Uint8Array
  /** This relay is responsible for relays that share at least this many bits with it, */
  level: number
  /** and fewer than this many: a copy that came before covered the others. */
  coveredFrom: number
  /** What came in, less this relay's own fee. */
  budgetUnits: number
  nowMinutes: number
}

/**
 * The copies that this relay owes. When the budget does not reach for all, relays are served whole,
 * in XOR order to the packet id; one that asks more than what is left is passed over, so that an
 * overpriced relay shuts out nobody but itself.
 */
export function planSpread(input: SpreadInput): Copy[] {
  const { view, header, packetId, level, coveredFrom, nowMinutes } = input
  if (level >= LAST_LEVEL) return [] // most copies: nothing to look through the whole network for
  const payAt = nowMinutes - CLOCK_SLACK_MINUTES
  const owed = view.others
    .filter(({ relay, shared }) => shared >= level && shared < coveredFrom && relay.prices)
    .sort((a, b) => compareDistance(packetId, a.relay.address, b.relay.address))
  const bins = new Map<number, { relays: OverlayRelay[]; postageUnits: number }>()
  const copies: Copy[] = []
  let left = input.budgetUnits
  for (const { relay, shared } of owed) {
    const fee = relay.prices ? destinationFee(relay.prices, header, payAt) : left + 1
    if (fee > left) continue
    left -= fee
    if (shared >= view.luminosity) {
      copies.push({ level: LAST_LEVEL, relays: [relay], postageUnits: fee })
      continue
    }
    const bin = bins.get(shared) ?? { relays: [], postageUnits: 0 }
    bin.relays.push(relay)
    bin.postageUnits += fee
    bins.set(shared, bin)
  }
  for (const [bin, copy] of bins) copies.push({ level: bin + 1, ...copy })
  return copies
}

/**
 * The level that a spread with these copies covers: what it was responsible for, less everything up
 * to a relay that the budget did not reach for. A copy that pays for nobody else covers nothing, so
 * that it cannot be sent ahead of a good one to cut off those behind.
 */
export function coveredLevel(
  { view, level, coveredFrom }: Pick<SpreadInput, 'view' | 'level' | 'coveredFrom'>,
  copies: readonly Copy[],
): number {
  const served = new Set(copies.flatMap(({ relays }) => relays))
  let covered = level
  for (const { relay, shared } of view.others) {
    const isOwed = shared >= level && shared < coveredFrom && relay.prices !== undefined
    if (isOwed && !served.has(relay)) covered = Math.max(covered, shared + 1)
  }
  return covered
}
