import {
  type ApiMeta,
  type ApiNode,
  type ApiPrice,
  compareDistance,
  discloseAddress,
  fromHex,
  type Hex,
  type PriceRow,
  toHex,
} from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import {
  bytesIn,
  bytesList,
  columnsOf,
  currentPriceAt,
  NODE_TABLE,
  PRICE_TABLE,
  type StoredNode,
} from '../db/tables.ts'
import { nodeAnswer, priceAnswer } from './answers.ts'

/** Nodes that are listed: registered with a valid signature, active, and placed in the overlay. */
export const LISTED = 'signed AND active AND overlay_address IS NOT NULL'

/** Rows that one page looks at, at most, however few of them a filter lets through. */
export const SCAN_LIMIT = 1_000
/** Prices shown of one node: operators may invent services without end. */
const PRICES_PER_NODE = 64

/** A price that a node must offer. */
export interface PriceFilter {
  service: Hex
  token: Hex
  /** Base units; undefined for any price. */
  maxPrice: string | undefined
}

export interface NodeQuery {
  /** Addresses that start with the first `bits` bits of this one. */
  prefix: Hex
  bits: number
  offering: PriceFilter | undefined
  /** Base units. */
  minStake: string | undefined
  limit: number
  /** Overlay address after which the page begins. */
  after: Hex | undefined
}

/** One page of listed nodes by overlay address. */
export async function listNodes(
  tx: Queryable,
  meta: ApiMeta,
  query: NodeQuery,
): Promise<{ nodes: ApiNode[]; next: Hex | null }> {
  const { offering, minStake, limit, after } = query
  const filtered = offering !== undefined || minStake !== undefined
  const range = prefixRange(fromHex(query.prefix, 32), query.bits)
  const scanned = await tx.query<StoredNode & { offered: boolean }>(
    `SELECT ${columnsOf(NODE_TABLE)},
       stake >= coalesce($9::numeric, 0) AND ($5::bytea IS NULL OR EXISTS (
         SELECT FROM price WHERE price.node_id = node.node_id AND service = $5::bytea
           AND token = $6::bytea AND ${currentPriceAt(7)} <= coalesce($8::numeric, 'infinity')
       )) AS offered
     FROM (
       SELECT * FROM node WHERE ${LISTED} AND overlay_address >= $1::bytea
         AND overlay_address <= $2::bytea AND overlay_address > $3::bytea
       ORDER BY overlay_address LIMIT $4::integer
     ) AS node ORDER BY overlay_address`,
    [
      bytea(range.first),
      bytea(range.last),
      after === undefined ? '' : bytea(after),
      filtered ? SCAN_LIMIT : limit + 1,
      offering ? bytea(offering.service) : null,
      offering ? bytea(offering.token) : null,
      meta.now,
      offering?.maxPrice ?? null,
      minStake ?? null,
    ],
  )
  const matching = scanned.filter((row) => row.offered)
  const page = matching.slice(0, limit)
  // when the page is full it goes on after its last row, otherwise after the last row looked at
  const full = matching.length > limit
  const exhausted = !full && scanned.length < (filtered ? SCAN_LIMIT : limit + 1)
  const last = full ? page.at(-1) : scanned.at(-1)
  const nodes = await withPrices(
    tx,
    meta,
    page.map(({ offered: _, ...row }) => row),
  )
  return { nodes, next: exhausted ? null : (last?.overlayAddress ?? null) }
}

/** One node, listed or not. */
export async function findNode(
  tx: Queryable,
  meta: ApiMeta,
  nodeId: Hex,
): Promise<ApiNode | undefined> {
  return (await readNodes(tx, meta, [nodeId]))[0]
}

/** These nodes, in this order; unknown ones are left out. */
export async function readNodes(
  tx: Queryable,
  meta: ApiMeta,
  nodeIds: readonly Hex[],
): Promise<ApiNode[]> {
  const rows = await tx.query<StoredNode>(
    `SELECT ${columnsOf(NODE_TABLE)} FROM node WHERE node_id IN ${bytesIn(1)}`,
    [bytesList(nodeIds)],
  )
  const order = new Map(nodeIds.map((nodeId, i) => [nodeId, i]))
  rows.sort((a, b) => (order.get(a.nodeId) ?? 0) - (order.get(b.nodeId) ?? 0))
  return withPrices(tx, meta, rows)
}

/** What {@link closestNodes} looks for; `listed` is how many nodes are listed in all. */
export interface ClosestQuery {
  to: Hex
  k: number
  listed: number
}

/**
 * The k listed nodes that are XOR-closest to an address. Whoever shares more leading bits is closer,
 * so the nodes of a prefix that holds k of them hold the answer; the prefix is widened until it does.
 */
export async function closestNodes(
  tx: Queryable,
  meta: ApiMeta,
  { to, k, listed }: ClosestQuery,
): Promise<ApiNode[]> {
  const target = fromHex(to, 32)
  let bits = Math.max(0, Math.floor(Math.log2(Math.max(1, listed / (2 * k)))))
  for (;;) {
    const range = prefixRange(target, bits)
    const rows = await tx.query<{ nodeId: Hex; overlayAddress: Hex }>(
      `SELECT node_id AS "nodeId", overlay_address AS "overlayAddress" FROM node
       WHERE ${LISTED} AND overlay_address BETWEEN $1::bytea AND $2::bytea`,
      [bytea(range.first), bytea(range.last)],
    )
    if (rows.length >= k || bits === 0) {
      const placed = rows.map((row) => ({ ...row, address: fromHex(row.overlayAddress) }))
      placed.sort((a, b) => compareDistance(target, a.address, b.address))
      return readNodes(
        tx,
        meta,
        placed.slice(0, k).map((row) => row.nodeId),
      )
    }
    bits -= 1
  }
}

/** The first and the last address that start with `bits` bits of `prefix`. */
function prefixRange(prefix: Uint8Array, bits: number): { first: Hex; last: Hex } {
  const first = discloseAddress(prefix, bits)
  const all = new Uint8Array(32).fill(0xff)
  const mask = discloseAddress(all, bits)
  return { first: toHex(first), last: toHex(first.map((byte, i) => byte | ~(mask[i] ?? 0))) }
}

async function withPrices(
  tx: Queryable,
  meta: ApiMeta,
  rows: readonly StoredNode[],
): Promise<ApiNode[]> {
  const prices = new Map<Hex, ApiPrice[]>(rows.map((row) => [row.nodeId, []]))
  if (rows.length > 0) {
    const found = await tx.query<PriceRow>(
      `SELECT ${columnsOf(PRICE_TABLE)} FROM ${bytesIn(1)} AS wanted(id), LATERAL (
         SELECT * FROM price WHERE node_id = wanted.id
         ORDER BY service, token LIMIT ${PRICES_PER_NODE}
       ) AS price`,
      [bytesList(prices.keys())],
    )
    for (const row of found) prices.get(row.nodeId)?.push(priceAnswer(row, meta.now))
  }
  return rows.map((row) => nodeAnswer(row, prices.get(row.nodeId) ?? []))
}
