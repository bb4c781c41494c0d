/** Fees, the postage table and the grid of amounts (PROTOCOL.md §2). */
import { NAMED_RELAY } from './address.ts'
import { MainframeError } from './errors.ts'
import { MAX_HOPS } from './instruction.ts'
import { HOLD_CLASS_MINUTES, HOLD_CLASSES, type HoldClass, type PacketHeader } from './packet.ts'

/** What a relay asks, in units of 10^-9 MFT. */
export interface RelayPrices {
  /** For every packet: service `route/1`. */
  routeUnits: number
  /** For every packet and hour at a destination that holds it: service `hold/1`. */
  holdUnitsPerHour: number
}

/** Postage by hold class, then by FORWARD layers left (0..3), in units. */
export type PostageTable = Record<HoldClass, readonly number[]>

/** What a relay's board rows of a medium say now, in base units of its token. */
export interface MediumPrices {
  routeBase: bigint
  holdBasePerHour: bigint
}

/**
 * The most base units that one unit may cost in a medium: what the relay's rows in that medium are to
 * its prices in MFT (PROTOCOL.md §4.1). 0 when a unit costs less than a base unit.
 */
export function highestRate(
  { routeUnits, holdUnitsPerHour }: RelayPrices,
  { routeBase, holdBasePerHour }: MediumPrices,
): bigint {
  const route = routeBase / BigInt(routeUnits)
  const hold = holdBasePerHour / BigInt(holdUnitsPerHour)
  return route < hold ? route : hold
}

/** The lower of both prices of each kind; `prices` itself when none of `others` is lower. */
export function lowerPrices(prices: RelayPrices, others: RelayPrices): RelayPrices {
  const routeUnits = Math.min(prices.routeUnits, others.routeUnits)
  const holdUnitsPerHour = Math.min(prices.holdUnitsPerHour, others.holdUnitsPerHour)
  const isSame = routeUnits === prices.routeUnits && holdUnitsPerHour === prices.holdUnitsPerHour
  return isSame ? prices : { routeUnits, holdUnitsPerHour }
}

/** Fee of a relay that only passes a packet on, or is its named hop. */
export function routeFee(prices: RelayPrices): number {
  return prices.routeUnits
}

/** Fee of a relay for a packet: the route fee and, where it is held as well, holding until expiry. */
export function destinationFee(
  prices: RelayPrices,
  header: PacketHeader,
  nowMinutes: number,
): number {
  if (header.luminosity === NAMED_RELAY) return prices.routeUnits
  const minutes = Math.max(0, header.expiryMinutes - nowMinutes)
  return prices.routeUnits + Math.ceil((prices.holdUnitsPerHour * minutes) / 60)
}

/** Rounded down to a multiple of 1/16 of its power of two, so that amounts on the way are no tags. */
export function roundDownPostage(units: number): number {
  const step = postageStep(units)
  return Math.floor(units / step) * step
}

/** Rounded up to the same grid. */
export function roundUpPostage(units: number): number {
  const step = postageStep(units)
  return Math.ceil(units / step) * step
}

function postageStep(units: number): number {
  // Not Math.log2: it is an approximation, wrong just below large powers of two, and differs by engine.
  const high = Math.floor(units / 2 ** 32)
  const exponent = high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(Math.max(1, units))
  return Math.max(1, 2 ** (exponent - 4))
}

/** The median; of two middle values the lower. 0 for none. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1] ?? 0
}

/** Margin over the median prices that the table carries, as a fraction. */
const TABLE_MARGIN = { numerator: 5, denominator: 4 }
/** Relays that route a leg before its destination: one, and one more per disclosed bit up to this. */
const MAX_EXTRA_ROUTING_HOPS = 4

/** What the postage table is computed from, all read at the epoch's block. */
export interface PostageInput {
  /** Prices of the active relays. Must not be empty. */
  relays: readonly RelayPrices[]
  /** The most relays that share a prefix of `luminosity` bits. */
  destinations: number
  luminosity: number
}

/**
 * The fees that the table pays each relay on the way: the median prices and the margin. A relay that
 * asks more may find too little left, so clients take none as a hop.
 */
export function tableFees(relays: readonly RelayPrices[]): RelayPrices {
  return {
    routeUnits: withMargin(medianOf(relays.map((relay) => relay.routeUnits))),
    holdUnitsPerHour: withMargin(medianOf(relays.map((relay) => relay.holdUnitsPerHour))),
  }
}

/**
 * The amounts that every client attaches and every FORWARD names. Throws `VALIDATION_FAILED`
 * without a relay that has prices.
 */
export function postageTable({ relays, destinations, luminosity }: PostageInput): PostageTable {
  if (relays.length === 0) {
    throw new MainframeError('VALIDATION_FAILED', 'No active relay advertises route/1 and hold/1')
  }
  const prices = tableFees(relays)
  const routingHops = 1 + Math.min(luminosity, MAX_EXTRA_ROUTING_HOPS)
  const leg = (atDestinationUnits: number) => {
    let units = atDestinationUnits
    for (let hop = 0; hop < routingHops; hop++) units = roundUpPostage(units) + prices.routeUnits
    return roundUpPostage(units)
  }
  const row = (holdClass: HoldClass) => {
    // 5 minutes more than the class: an expiry is rounded up to the next multiple.
    const minutes = HOLD_CLASS_MINUTES[holdClass] + 5
    const held = prices.routeUnits + Math.ceil((prices.holdUnitsPerHour * minutes) / 60)
    const amounts = [leg(destinations * held)]
    while (amounts.length <= MAX_HOPS) amounts.push(leg((amounts.at(-1) ?? 0) + prices.routeUnits))
    return amounts
  }
  return { '1h': row('1h'), '1d': row('1d'), '7d': row('7d'), '14d': row('14d') }
}

/** The dearest entry: what a prepaid window is measured by (PROTOCOL.md §4). */
export function dearestPostage(table: PostageTable): number {
  return Math.max(...HOLD_CLASSES.flatMap((holdClass) => table[holdClass]))
}

function withMargin(units: number): number {
  return Math.ceil((units * TABLE_MARGIN.numerator) / TABLE_MARGIN.denominator)
}

/** Board units (PriceBoard.sol) of the two services that every relay offers. */
export const BOARD_UNIT = { perPacket: 0, perPacketHour: 1 } as const

/** Names of those services; the board stores keccak256 of the UTF-8 name. */
export const SERVICE_NAMES = { route: 'route/1', hold: 'hold/1' } as const
