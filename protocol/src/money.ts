import type { Hex } from './bytes.ts'
import { MainframeError } from './errors.ts'

/** Decimals of MFT: 1 MFT = 10^18 base units. */
export const MFT_DECIMALS = 18

/**
 * Base units of MFT in one unit of postage. Postage and fees are counted in units of 10^-9 MFT
 * everywhere in the network (PROTOCOL.md §4); this is the one place where the factor stands.
 */
export const BASE_PER_UNIT = 10n ** 9n

/** The token of the chain's own coin, as the contracts name it. */
export const COIN_TOKEN: Hex = '0x0000000000000000000000000000000000000000'

const MOST_UNITS = BigInt(Number.MAX_SAFE_INTEGER)

/** Units of postage in base units of a medium of exchange worth `ratePerUnit` base units a unit. */
export function unitsToBase(units: number, ratePerUnit: bigint = BASE_PER_UNIT): bigint {
  return BigInt(units) * ratePerUnit
}

/** Whole units of postage that an amount of base units pays for. Throws `VALIDATION_FAILED` past 2^53. */
export function baseToUnits(base: bigint, ratePerUnit: bigint = BASE_PER_UNIT): number {
  return safeUnits(base / ratePerUnit)
}

/** As {@link baseToUnits}, and 2^53 - 1 for all above: for amounts at the rate of somebody else. */
export function countableUnits(base: bigint, ratePerUnit: bigint): number {
  const units = base / ratePerUnit
  return units < MOST_UNITS ? Number(units) : Number.MAX_SAFE_INTEGER
}

/** Units of a price in base units, rounded up: the payer never pays less than what was asked. */
export function priceToUnits(base: bigint, ratePerUnit: bigint = BASE_PER_UNIT): number {
  return safeUnits((base + ratePerUnit - 1n) / ratePerUnit)
}

function safeUnits(units: bigint): number {
  if (units < 0n || units > MOST_UNITS) {
    throw new MainframeError('VALIDATION_FAILED', 'The amount is past 2^53 units of postage')
  }
  return Number(units)
}

/** Base units of an amount in MFT, such as "1.25". Throws `VALIDATION_FAILED`. */
export function parseMft(text: string): bigint {
  const match = /^(\d{1,30})(?:\.(\d{1,18}))?$/.exec(text)
  if (!match) {
    throw new MainframeError('VALIDATION_FAILED', `"${text}" is not an amount of MFT such as 1.25`)
  }
  const [, whole = '0', fraction = ''] = match
  return BigInt(whole + fraction.padEnd(MFT_DECIMALS, '0'))
}

/** An amount in MFT with as many decimals as it needs. */
export function formatMft(base: bigint): string {
  const digits = (base < 0n ? -base : base).toString().padStart(MFT_DECIMALS + 1, '0')
  const fraction = digits.slice(-MFT_DECIMALS).replace(/0+$/, '')
  const whole = digits.slice(0, -MFT_DECIMALS)
  return `${base < 0n ? '-' : ''}${whole}${fraction && `.${fraction}`}`
}
