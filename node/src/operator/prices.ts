/** A relay's prices on the board. */
import {
  BASE_PER_UNIT,
  BOARD_UNIT,
  bodyHash,
  type Deployment,
  type Hex,
  MainframeError,
  type NodeRow,
  type RelayPrices,
  SERVICE_NAMES,
  serviceId,
  toHex,
  unitsToBase,
} from '@mainframe/protocol'
import { boardContract, callView } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'

/** How an operator comes to prices. */
export interface PriceRule extends RelayPrices {
  /** On top of both, in percent. */
  marginPercent: number
}

/** The prices for the board: with the margin, rounded up to units. Throws `CONFIG_INVALID`. */
export function askedPrices({ routeUnits, holdUnitsPerHour, marginPercent }: PriceRule) {
  const withMargin = (units: number) => {
    const asked = (BigInt(units) * BigInt(100 + marginPercent) + 99n) / 100n
    if (asked <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(asked)
    throw new MainframeError('CONFIG_INVALID', 'A price with its margin is 2^53 units or more')
  }
  return { routeUnits: withMargin(routeUnits), holdUnitsPerHour: withMargin(holdUnitsPerHour) }
}

export interface SetPricesOptions {
  rpc: Rpc
  deployment: Deployment
  /** Of the node's manager, the hot account. */
  sender: TransactionSender
  /** As the latest block has it: its record is the manager's proof. */
  node: NodeRow
  prices: RelayPrices
  /** Media beside MFT: the same prices, at a rate of their own. */
  media?: readonly { token: Hex; baseUnitsPerUnit: bigint }[]
  /** Tokens whose rows are to be withdrawn. */
  left?: readonly Hex[]
}

interface PriceInput {
  service: Hex
  token: Hex
  price: bigint
  unit: number
  active: boolean
}

interface BoardRow {
  next: bigint
  unit: bigint
  active: boolean
}

/** Rows of one transaction, as the board allows. */
const MAX_ROWS = 64

/**
 * Advertises `route/1` and `hold/1` in MFT and in every other medium; sends only rows that differ from
 * what the board says or has announced. Answers the transaction's hash, `undefined` when nothing was to be done. A rise
 * and a new row take effect after the board's delay. Errors as `TransactionSender.send`.
 */
export async function setPrices(options: SetPricesOptions): Promise<Hex | undefined> {
  const { rpc, deployment, sender, node } = options
  const wished = wishedRows(options)
  const [current] = await callView(rpc, {
    to: deployment.board,
    contract: boardContract,
    method: 'rows',
    args: [
      wished.map(() => node.nodeId),
      wished.map(({ service }) => service),
      wished.map(({ token }) => token),
    ],
  })
  const changed = wished.filter((row, i) => !isSame(row, current[i])).slice(0, MAX_ROWS)
  if (changed.length === 0) return undefined
  const args = [node.nodeId, bodyHash(node), changed]
  const data = boardContract.encodeFunctionData('setPrices', args) as Hex
  const receipt = await sender.send({ to: deployment.board, data, what: 'setPrices' })
  return receipt.transactionHash
}

/** MFT first: its rows are what the relay asks at all, whether or not it is paid in it. */
function wishedRows({ deployment, prices, media = [], left = [] }: SetPricesOptions): PriceInput[] {
  const inMft = rowsOf(prices, deployment.token, BASE_PER_UNIT)
  const inOthers = media.map(({ token, baseUnitsPerUnit }) =>
    rowsOf(prices, token, baseUnitsPerUnit),
  )
  const withdrawn = left.map((token) =>
    rowsOf(prices, token, 0n).map((row) => ({ ...row, active: false })),
  )
  return [inMft, ...inOthers, ...withdrawn].flat()
}

function rowsOf(prices: RelayPrices, token: Hex, rate: bigint): PriceInput[] {
  const row = (name: string, units: number, unit: number) => ({
    service: toHex(serviceId(name)),
    token,
    price: unitsToBase(units, rate),
    unit,
    active: true,
  })
  return [
    row(SERVICE_NAMES.route, prices.routeUnits, BOARD_UNIT.perPacket),
    row(SERVICE_NAMES.hold, prices.holdUnitsPerHour, BOARD_UNIT.perPacketHour),
  ]
}

/** `next` is what a row comes to, now or after the delay. */
function isSame({ active, price, unit }: PriceInput, row: BoardRow): boolean {
  if (!active || !row.active) return active === row.active
  return Number(row.unit) === unit && row.next === price
}
