import {
  type ApiMeta,
  type ApiNode,
  discloseAddress,
  fromHex,
  type Hex,
  toHex,
} from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import { bytesIn, bytesList, columnsOf, currentPriceAt, NODE_TABLE } from '../db/tables.ts'
import { nodeAnswer, type PricedNode } from './answers.ts'
import { NOW, readOfBlock } from './meta.ts'

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

/** SQL for the prices of a row of `node` as JSON, in force at the time that `now` is SQL for. */
export function pricesAt(now: string): string {
  const hex = (column: string) => `'0x' || encode(price.${column}, 'hex') AS ${column}`
  return `(
    SELECT json_agg(shown) FROM (
      SELECT ${hex('service')}, ${hex('token')}, price::text, next::text, next_from AS "nextFrom",
        unit, active, ${currentPriceAt(now)}::text AS current
      FROM price WHERE price.node_id = node.node_id
      ORDER BY price.service, price.token LIMIT ${PRICES_PER_NODE}
    ) AS shown
  )`
}

/** One page of listed nodes by overlay address, and the state of the chain that it is of. */
export async function listNodes(
  db: Queryable,
  query: NodeQuery,
): Promise<{ meta: ApiMeta; nodes: ApiNode[]; next: Hex | null }> {
  const { offering, minStake, limit, after } = query
  const filtered = offering !== undefined || minStake !== undefined
  const scanLimit = filtered ? SCAN_LIMIT : limit + 1
  const range = prefixRange(fromHex(query.prefix, 32), query.bits)
  const { meta, rows: scanned } = await readOfBlock<PricedNode & { fits: boolean }>(
    db,
    `SELECT ${columnsOf(NODE_TABLE)}, fits,
       CASE WHEN fits AND place <= $10::integer THEN ${pricesAt(NOW)} END AS prices
     FROM (
       SELECT *, count(*) FILTER (WHERE fits) OVER (ORDER BY overlay_address) AS place FROM (
         SELECT *, stake >= coalesce($9::numeric, 0) AND ($6::bytea IS NULL OR EXISTS (
           SELECT FROM price WHERE price.node_id = node.node_id AND service = $6::bytea
             AND token = $7::bytea AND ${currentPriceAt(NOW)} <= coalesce($8::numeric, 'infinity')
         )) AS fits
         FROM (
           SELECT * FROM node WHERE ${LISTED} AND overlay_address >= $2::bytea
             AND overlay_address <= $3::bytea AND overlay_address > $4::bytea
           ORDER BY overlay_address LIMIT $5::integer
         ) AS node
       ) AS node
     ) AS node ORDER BY overlay_address`,
    [
      bytea(range.first),
      bytea(range.last),
      after === undefined ? '' : bytea(after),
      scanLimit,
      offering ? bytea(offering.service) : null,
      offering ? bytea(offering.token) : null,
      offering?.maxPrice ?? null,
      minStake ?? null,
      limit,
    ],
  )
  const matching = scanned.filter((row) => row.fits)
  const page = matching.slice(0, limit)
  // when the page is full it goes on after its last row, otherwise after the last row looked at
  const full = matching.length > limit
  const exhausted = !full && scanned.length < scanLimit
  const last = full ? page.at(-1) : scanned.at(-1)
  return {
    meta,
    nodes: page.map(nodeAnswer),
    next: exhausted ? null : (last?.overlayAddress ?? null),
  }
}

/** One node, listed or not, and the state of the chain that it is of. */
export async function findNode(
  db: Queryable,
  nodeId: Hex,
): Promise<{ meta: ApiMeta; node: ApiNode | undefined }> {
  const { meta, rows } = await readOfBlock<PricedNode>(
    db,
    `SELECT ${columnsOf(NODE_TABLE)}, ${pricesAt(NOW)} AS prices FROM node WHERE node_id = $2::bytea`,
    [bytea(nodeId)],
  )
  return { meta, node: rows[0] && nodeAnswer(rows[0]) }
}

/** These nodes, in this order; unknown ones are left out. */
export async function readNodes(
  tx: Queryable,
  meta: ApiMeta,
  nodeIds: readonly Hex[],
): Promise<ApiNode[]> {
  const rows = await tx.query<PricedNode>(
    `SELECT ${columnsOf(NODE_TABLE)}, ${pricesAt('$2')} AS prices FROM node
     WHERE node_id IN ${bytesIn(1)}`,
    [bytesList(nodeIds), meta.now],
  )
  const order = new Map(nodeIds.map((nodeId, i) => [nodeId, i]))
  rows.sort((a, b) => (order.get(a.nodeId) ?? 0) - (order.get(b.nodeId) ?? 0))
  return rows.map(nodeAnswer)
}

/** The first and the last address that start with `bits` bits of `prefix`. */
export function prefixRange(prefix: Uint8Array, bits: number): { first: Hex; last: Hex } {
  const first = discloseAddress(prefix, bits)
  const all = new Uint8Array(32).fill(0xff)
  const mask = discloseAddress(all, bits)
  return { first: toHex(first), last: toHex(first.map((byte, i) => byte | ~(mask[i] ?? 0))) }
}
