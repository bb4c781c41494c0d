/** The rows of the price board that a relay looks at, and what they say at a time (PROTOCOL.md §2.1, §4.1). */
import {
  BASE_PER_UNIT,
  BOARD_UNIT,
  type BoardEvent,
  currentPrice,
  type Hex,
  highestRate,
  type MediumPrices,
  type PriceRow,
  priceToUnits,
  type RelayPrices,
  reducePrice,
  SERVICE_NAMES,
  serviceId,
  toHex,
} from '@mainframe/protocol'

/** What a relay's rows say at one moment. */
export interface BoardOffer {
  /** In MFT; `undefined` when it does not offer both services. */
  prices: RelayPrices | undefined
  /** The most base units that a unit may cost, by token: of those that it offers both services in. */
  rates: ReadonlyMap<Hex, bigint>
}

const ROUTE_SERVICE = toHex(serviceId(SERVICE_NAMES.route))
const HOLD_SERVICE = toHex(serviceId(SERVICE_NAMES.hold))
const NO_RATES: ReadonlyMap<Hex, bigint> = new Map()

export class BoardPrices {
  readonly #mft: Hex
  readonly #tokens: ReadonlySet<Hex>
  /** By node id, then by service and token. */
  readonly #rows = new Map<Hex, Map<string, PriceRow>>()

  /** Keeps rows in MFT and in these tokens: anybody may fill the board with others. */
  constructor(mft: Hex, media: readonly Hex[]) {
    this.#mft = lower(mft)
    this.#tokens = new Set([mft, ...media].map(lower))
  }

  /** Nodes that have rows. */
  get nodeIds(): Iterable<Hex> {
    return this.#rows.keys()
  }

  /** Takes in a row; `isOurs` keeps it whatever its token. */
  apply(event: BoardEvent, isOurs: boolean): void {
    const rows = this.#rows.get(event.nodeId) ?? new Map<string, PriceRow>()
    this.#rows.set(event.nodeId, rows)
    const row = reducePrice(event)
    if (isOurs || this.#tokens.has(row.token)) rows.set(keyOf(row.service, row.token), row)
  }

  offerOf(nodeId: Hex, nowSeconds: number): BoardOffer {
    const inMft = this.#inForce(nodeId, this.#mft, nowSeconds)
    const routeUnits = unitsOf(inMft?.routeBase)
    const holdUnitsPerHour = unitsOf(inMft?.holdBasePerHour)
    if (!routeUnits || !holdUnitsPerHour) return { prices: undefined, rates: NO_RATES }
    const prices = { routeUnits, holdUnitsPerHour }
    const rates = new Map([[this.#mft, BASE_PER_UNIT]])
    for (const token of this.#tokens) {
      if (token === this.#mft) continue
      const rows = this.#inForce(nodeId, token, nowSeconds)
      const rate = rows ? highestRate(prices, rows) : 0n
      if (rate > 0n) rates.set(token, rate)
    }
    return { prices, rates }
  }

  /** Tokens in which a node has one of our services on the board, in force or announced. */
  tokensOf(nodeId: Hex): Hex[] {
    const rows = [...(this.#rows.get(nodeId)?.values() ?? [])]
    const ours = rows.filter(
      ({ active, service }) => active && (service === ROUTE_SERVICE || service === HOLD_SERVICE),
    )
    return [...new Set(ours.map(({ token }) => token))]
  }

  /** When the next announced price takes effect, Unix seconds; infinite for none. */
  nextChangeAfter(nowSeconds: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const rows of this.#rows.values()) {
      for (const { active, nextFrom } of rows.values()) {
        if (active && nextFrom > nowSeconds && nextFrom < earliest) earliest = nextFrom
      }
    }
    return earliest
  }

  /** What a node asks in a medium; `undefined` unless both services are for sale in it. */
  #inForce(nodeId: Hex, token: Hex, nowSeconds: number): MediumPrices | undefined {
    const rows = this.#rows.get(nodeId)
    const priceOf = (service: Hex, unit: number) => {
      const row = rows?.get(keyOf(service, token))
      return row?.unit === unit ? currentPrice(row, nowSeconds) : undefined
    }
    const routeBase = priceOf(ROUTE_SERVICE, BOARD_UNIT.perPacket)
    const holdBasePerHour = priceOf(HOLD_SERVICE, BOARD_UNIT.perPacketHour)
    return routeBase && holdBasePerHour ? { routeBase, holdBasePerHour } : undefined
  }
}

function keyOf(service: Hex, token: Hex): string {
  return `${service} ${token}`
}

function lower(token: Hex): Hex {
  return token.toLowerCase() as Hex
}

/** A price of MFT in units; `undefined` when there is none, or it is past what can be counted. */
function unitsOf(base: bigint | undefined): number | undefined {
  try {
    return base === undefined ? undefined : priceToUnits(base)
  } catch {
    return undefined // past 2^53 units nobody can pay it
  }
}
