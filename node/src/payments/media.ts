/** The media of exchange of this relay: which it takes and which it pays with (PROTOCOL.md §4). */
import {
  BASE_PER_UNIT,
  COIN_TOKEN,
  type Hex,
  MAX_AMOUNT,
  MainframeError,
  unitsToBase,
} from '@mainframe/protocol'
import { askedPrices } from '../operator/prices.ts'
import type { Settings } from '../settings.ts'

/** A medium in which this relay is paid. Amounts are base units of its token. */
export interface AcceptedMedium {
  /** ERC-20 contract in lower case, or zero for the chain's coin. */
  token: Hex
  /** What one unit costs; fixed for as long as the relay runs. */
  baseUnitsPerUnit: bigint
  /** Smallest deposit that is taken seriously. */
  minDepositBase: bigint
  /** Unclaimed earnings that are worth a claim. */
  claimMinBase: bigint
}

/** A medium in which this relay pays others. Amounts are base units of its token. */
export interface PayingMedium {
  token: Hex
  /** A peer whose unit costs more is not paid. */
  mostBaseUnitsPerUnit: bigint
  /** Deposit of a channel, where the payee wants no more. */
  depositBase: bigint
  /** The largest minimum deposit that is paid. */
  maxDepositBase: bigint
  /** A channel in use is topped up when less of it is unsigned; below `depositBase`. */
  lowWaterBase: bigint
  /** The most that all our channels in it together hold. */
  maxDepositedBase: bigint
}

/** A deposit is at least this many windows, in what we ask and in what we give. */
const WINDOWS_PER_DEPOSIT = 10n

/** What the relay takes, MFT first. Throws `CONFIG_INVALID` with one sentence. */
export function acceptedMedia(settings: Settings, mft: Hex): AcceptedMedium[] {
  const { accept, maxWindowUnits, claimMinUnits } = settings
  const asked = askedPrices(settings)
  const media = accept.map((given, i): AcceptedMedium => {
    const where = `accept/${i}`
    const token = tokenOf(given.token, mft)
    const rate = rateOf(given.baseUnitsPerUnit, { isMft: token === mft, where })
    const medium = {
      token,
      baseUnitsPerUnit: rate,
      minDepositBase: amountOf(
        given.minDepositBase,
        unitsToBase(maxWindowUnits, rate) * WINDOWS_PER_DEPOSIT,
      ),
      claimMinBase: amountOf(given.claimMinBase, unitsToBase(claimMinUnits, rate)),
    }
    const prices = Object.values(asked).map((units) => unitsToBase(units, rate))
    if ([medium.minDepositBase, ...prices].every((base) => base <= MAX_AMOUNT)) return medium
    throw invalid(`${where} makes prices or deposits that do not fit 96 bits: lower its rate`)
  })
  assertDifferent(media, 'accept')
  return media.toSorted((a, b) => Number(b.token === mft) - Number(a.token === mft))
}

/** What the relay pays with, in order of preference. Throws `CONFIG_INVALID` with one sentence. */
export function payingMedia({ payWith, ...settings }: Settings, mft: Hex): PayingMedium[] {
  const { depositUnits, maxDepositUnits, maxDepositedUnits, topUpBelowPercent } = settings
  const media = payWith.map((given, i): PayingMedium => {
    const token = tokenOf(given.token, mft)
    const rate = rateOf(given.mostBaseUnitsPerUnit, { isMft: token === mft, where: `payWith/${i}` })
    const depositBase = amountOf(given.depositBase, unitsToBase(depositUnits, rate))
    return {
      token,
      mostBaseUnitsPerUnit: rate,
      depositBase,
      lowWaterBase: (depositBase * BigInt(topUpBelowPercent)) / 100n,
      maxDepositedBase: unitsToBase(maxDepositedUnits, rate),
      maxDepositBase: amountOf(given.maxDepositBase, unitsToBase(maxDepositUnits, rate)),
    }
  })
  assertDifferent(media, 'payWith')
  return media
}

/** Media whose prices stand on the board beside those in MFT, which always do. */
export function otherMedia(accept: readonly AcceptedMedium[], mft: Hex): AcceptedMedium[] {
  return accept.filter(({ token }) => token !== mft)
}

function tokenOf(name: string, mft: Hex): Hex {
  if (name === 'mft') return mft
  return name === 'coin' ? COIN_TOKEN : (name.toLowerCase() as Hex)
}

/** A unit is 10^-9 MFT: in MFT its rate is no choice, in another medium there is no default. */
function rateOf(given: string | undefined, { isMft, where }: { isMft: boolean; where: string }) {
  if (isMft && given !== undefined && BigInt(given) !== BASE_PER_UNIT) {
    throw invalid(`${where}: a unit is ${BASE_PER_UNIT} base units of MFT; leave the rate out`)
  }
  if (isMft) return BASE_PER_UNIT
  if (given !== undefined) return BigInt(given)
  throw invalid(`${where} needs a rate: how many base units of its token one unit of postage costs`)
}

function amountOf(given: string | undefined, fallback: bigint): bigint {
  return given === undefined ? fallback : BigInt(given)
}

function assertDifferent(media: readonly { token: Hex }[], setting: string): void {
  const tokens = media.map(({ token }) => token)
  const twice = tokens.find((token, i) => tokens.indexOf(token) !== i)
  if (twice !== undefined) throw invalid(`The setting ${setting} names ${twice} twice`)
}

function invalid(message: string): MainframeError {
  return new MainframeError('CONFIG_INVALID', message)
}
