/**
 * Credit on one link as its payer sees it, and which amount to sign next (PROTOCOL.md §4). Plain data
 * and pure functions; the link keeps one {@link Prepaid} and applies what happens to it.
 */
import { countableUnits, unitsToBase } from '../money.ts'

/** What the payer of a link knows. Totals in units count within the channel's epoch. */
export interface Prepaid {
  /** Base units signed when the link began to pay; what it may add is bounded from here. */
  readonly signedBefore: bigint
  /** Postage of everything sent on this link that was not refused. */
  shippedUnits: number
  /** Postage of what was sent and is not acknowledged. */
  inFlightUnits: number
  /** What the relay says it debited, and holds as durable vouchers. */
  spentUnits: number
  durableUnits: number
  /** Whether the relay took a voucher on this link, so that its totals are of our channel. */
  synchronised: boolean
}

/** The figures of a channel that the next amount depends on. */
export interface PrepaidBounds {
  depositBase: bigint
  signedBase: bigint
  baseUnitsPerUnit: bigint
  /** As of {@link earnedWindow}. */
  windowUnits: number
}

/** Why no greater amount may be signed: the deposit ends here, or the relay counts too much. */
export type SigningStop = 'exhausted' | 'overcharged'

export function newPrepaid(signedBefore: bigint): Prepaid {
  return {
    signedBefore,
    shippedUnits: 0,
    inFlightUnits: 0,
    spentUnits: 0,
    durableUnits: 0,
    synchronised: false,
  }
}

/** Units that can be spent now without another voucher. */
export function creditUnits({ durableUnits, spentUnits, inFlightUnits }: Prepaid): number {
  return durableUnits - spentUnits - inFlightUnits
}

/** Packets like the next one that a link prepays before any was taken on it. */
const FIRST_PACKETS = 4

/**
 * What may be prepaid now: as much again as the relay took on this link, and a few packets at first.
 * A whole window at once would be the gain of a relay that ends link after link with a window unspent.
 */
export function earnedWindow(
  { synchronised, shippedUnits, inFlightUnits }: Prepaid,
  windowUnits: number,
  nextUnits: number,
): number {
  if (!synchronised) return windowUnits // only a unit is signed then, to learn the totals
  const takenUnits = shippedUnits - inFlightUnits
  return Math.min(windowUnits, Math.max(takenUnits, FIRST_PACKETS * nextUnits))
}

/**
 * Whether to sign now: at first, to learn the totals; then when credit has fallen below half a
 * window or `nextUnits` do not fit it. A window counts from what the relay acknowledged, never from
 * what is on the way, since a packet that it refuses is not debited; so while acknowledgements are
 * to come the payer waits until a quarter of a window is worth a signature.
 */
export function wantsVoucher(state: Prepaid, windowUnits: number, nextUnits: number): boolean {
  if (!state.synchronised) return true
  const credit = creditUnits(state)
  const room = windowUnits - (state.durableUnits - state.spentUnits)
  if (room <= 0 || (state.inFlightUnits > 0 && room < windowUnits / 4)) return false
  return credit < windowUnits / 2 || nextUnits > credit
}

/**
 * The next cumulative amount in base units. The relay's word on what is spent is believed as far as
 * what this link shipped and one window, so that a lie costs one window a link at most.
 */
export function nextAmount(state: Prepaid, bounds: PrepaidBounds): bigint | SigningStop {
  const { depositBase, signedBase, baseUnitsPerUnit, windowUnits } = bounds
  const base = (units: number) => unitsToBase(units, baseUnitsPerUnit)
  // A voucher that the relay never took is sent again; the first of a link must be greater than any.
  const isLost =
    state.synchronised && state.durableUnits < countableUnits(signedBase, baseUnitsPerUnit)
  const smallest = isLost ? signedBase : signedBase + baseUnitsPerUnit
  const limit = state.signedBefore + base(state.shippedUnits + windowUnits)
  if (smallest > depositBase) return 'exhausted'
  if (smallest > limit) return 'overcharged'
  const wished = state.synchronised ? base(state.spentUnits + windowUnits) : smallest
  const capped = [wished, limit, depositBase].reduce((a, b) => (a < b ? a : b))
  return capped > smallest ? capped : smallest
}
