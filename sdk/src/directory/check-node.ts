/** Checking what an indexer says about one relay, against itself and against the chain. */
import {
  type ApiNode,
  type ApiPrice,
  BASE_PER_UNIT,
  BOARD_UNIT,
  type BoardRow,
  currentPrice,
  type Deployment,
  decodeMultiaddrs,
  equalBytes,
  fromHex,
  type Hex,
  highestRate,
  isRegistrationSigned,
  type MediumPrices,
  nodeIdOf,
  priceToUnits,
  type RelayPrices,
  recordHash,
  relayAddress,
  SERVICE_NAMES,
  serviceId,
  toHex,
} from '@mainframe/protocol'
import type { NodeState } from '../chain/chain.ts'
import type { Fault } from './fault.ts'
import type { Relay } from './relay.ts'

/** Services that every relay offers, as the price board names them. */
export const ROUTE: Hex = toHex(serviceId(SERVICE_NAMES.route))
export const HOLD: Hex = toHex(serviceId(SERVICE_NAMES.hold))

/** What the chain says about a relay at the block that the indexer spoke of. */
export interface ChainFacts {
  state: NodeState
  /** Hash of the block after the registration's; `undefined` when there is none. */
  seedBlockHash: Hex | undefined
  route: BoardRow
  hold: BoardRow
}

/** What does not need the chain: id, signature, address. */
export function checkClaims(node: ApiNode, deployment: Deployment): Fault | undefined {
  const operator = fromHex(node.operator)
  const nodeKey = fromHex(node.nodeKey)
  if (toHex(nodeIdOf(operator, nodeKey)) !== node.nodeId) return 'node-id'
  const registry = fromHex(deployment.registry)
  const context = { chainId: BigInt(deployment.chainId), registry, operator }
  if (!isRegistrationSigned(nodeKey, fromHex(node.signature), context)) return 'signature'
  if (!node.active) return 'inactive'
  if (!node.seedBlockHash || !node.overlayAddress) return 'seed-block'
  const address = relayAddress(fromHex(node.nodeId), fromHex(node.seedBlockHash))
  return equalBytes(address, fromHex(node.overlayAddress)) ? undefined : 'overlay-address'
}

/** What the chain has to confirm, by `ServiceRegistry.states`, a header, and `PriceBoard.rows`. */
export function checkFacts(node: ApiNode, token: Hex, facts: ChainFacts): Fault | undefined {
  const { state, seedBlockHash, route, hold } = facts
  if (/^0x0*$/.test(state.recordHash)) return 'inactive'
  const { manager, payee, sealKey, multiaddrsRaw: multiaddrs, metadata } = node
  if (recordHash({ manager, payee, sealKey, multiaddrs, metadata }) !== state.recordHash) {
    return 'record'
  }
  if (state.registeredBlock !== node.registeredBlock) return 'registered-block'
  if (state.stake !== BigInt(node.stake)) return 'stake'
  if (seedBlockHash !== node.seedBlockHash) return 'seed-block'
  const told = (service: Hex) =>
    node.prices.find((price) => price.service === service && price.token === token.toLowerCase())
  return agrees(told(ROUTE), route) && agrees(told(HOLD), hold) ? undefined : 'price'
}

/** What the registry says of a relay, and the hash that its address follows from. */
export type RelayFacts = Pick<
  ApiNode,
  | 'nodeId'
  | 'operator'
  | 'payee'
  | 'nodeKey'
  | 'sealKey'
  | 'seedBlockHash'
  | 'multiaddrsRaw'
  | 'stake'
  | 'updatedBlock'
>

/** What the board has of a relay in one token. */
export interface ServiceRows {
  route: BoardRow
  hold: BoardRow
}

/** A relay that passed both checks; with the rows of the medium to pay with, where that is not MFT. */
export function relayOf(
  node: RelayFacts,
  { rows, inMedium }: { rows: ServiceRows; inMedium: ServiceRows | undefined },
  nowSeconds: number,
): Relay {
  const prices = pricesOf(rows, nowSeconds)
  return {
    nodeId: node.nodeId,
    operator: node.operator,
    payee: node.payee,
    nodeKey: fromHex(node.nodeKey, 32),
    sealKey: fromHex(node.sealKey, 32),
    address: relayAddress(fromHex(node.nodeId), fromHex(node.seedBlockHash ?? '0x')),
    multiaddrs: decodeMultiaddrs(node.multiaddrsRaw),
    stakeBase: BigInt(node.stake),
    updatedBlock: node.updatedBlock,
    rows,
    prices,
    rate: prices && rateOf(prices, inMedium, nowSeconds),
  }
}

function rateOf(
  prices: RelayPrices,
  inMedium: ServiceRows | undefined,
  nowSeconds: number,
): bigint | undefined {
  if (!inMedium) return BASE_PER_UNIT
  const asked = askedIn(inMedium, nowSeconds)
  const rate = asked ? highestRate(prices, asked) : 0n
  return rate > 0n ? rate : undefined
}

/** What a relay asks in MFT now; `undefined` when it offers nothing. */
function pricesOf(rows: ServiceRows, nowSeconds: number): RelayPrices | undefined {
  const asked = askedIn(rows, nowSeconds)
  if (!asked) return undefined
  const { routeBase, holdBasePerHour } = asked
  // A price that no amount of units reaches is no offer.
  if (routeBase > MOST_BASE || holdBasePerHour > MOST_BASE) return undefined
  return { routeUnits: priceToUnits(routeBase), holdUnitsPerHour: priceToUnits(holdBasePerHour) }
}

/** `undefined` unless both services are for sale in their documented units. */
function askedIn({ route, hold }: ServiceRows, nowSeconds: number): MediumPrices | undefined {
  const routeBase = currentPrice(route, nowSeconds)
  const holdBasePerHour = currentPrice(hold, nowSeconds)
  if (routeBase === undefined || holdBasePerHour === undefined) return undefined
  const { perPacket, perPacketHour } = BOARD_UNIT
  if (route.unit !== perPacket || hold.unit !== perPacketHour) return undefined
  return { routeBase, holdBasePerHour }
}

/** 1,000 MFT a packet, or a packet and hour: sums over a thousand relays stay below 2^53 units. */
const MOST_BASE = 1000n * 10n ** 18n

/** A row that the indexer left out must be one that the board does not have either. */
function agrees(told: ApiPrice | undefined, row: BoardRow): boolean {
  if (!told?.active) return !row.active
  return (
    row.active &&
    BigInt(told.price) === row.price &&
    BigInt(told.next) === row.next &&
    told.nextFrom === row.nextFrom &&
    told.unit === row.unit
  )
}
