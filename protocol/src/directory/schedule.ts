/** The one word in which the price board keeps and logs a row's prices (contracts/libraries/PriceSchedule.sol). */

/** How a price changes over time; a row that was withdrawn is all zeros. */
export interface PriceSchedule {
  /** Base units of the row's token, in force before `nextFrom`; zero: not for sale until then. */
  price: bigint
  /** In force from `nextFrom` on. */
  next: bigint
  /** Unix seconds. */
  nextFrom: number
  unit: number
  active: boolean
}

const NEXT_AT = 96n
const NEXT_FROM_AT = 192n
const UNIT_AT = 232n
const ACTIVE_AT = 240n

const field = (word: bigint, at: bigint, bits: number) => BigInt.asUintN(bits, word >> at)

/** The schedule of a word below 2^256. */
export function decodeSchedule(word: bigint): PriceSchedule {
  return {
    price: field(word, 0n, 96),
    next: field(word, NEXT_AT, 96),
    nextFrom: Number(field(word, NEXT_FROM_AT, 40)),
    unit: Number(field(word, UNIT_AT, 8)),
    active: field(word, ACTIVE_AT, 1) === 1n,
  }
}

/** The word of a schedule, whose numbers fit their widths. */
export function encodeSchedule({ price, next, nextFrom, unit, active }: PriceSchedule): bigint {
  return (
    price |
    (next << NEXT_AT) |
    (BigInt(nextFrom) << NEXT_FROM_AT) |
    (BigInt(unit) << UNIT_AT) |
    (active ? 1n << ACTIVE_AT : 0n)
  )
}
