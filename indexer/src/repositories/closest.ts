/** Finds the listed nodes that are XOR-closest to an address. */
import { type ApiMeta, type ApiNode, fromHex, type Hex } from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import { columnsOf, NODE_TABLE } from '../db/tables.ts'
import { nodeAnswer, type PricedNode } from './answers.ts'
import { NOW, readOfBlock } from './meta.ts'
import { LISTED, prefixRange, pricesAt } from './nodes.ts'

/** The k listed nodes that are XOR-closest to an address, and the state of the chain that they are of. */
export type ClosestNodes = (
  db: Queryable,
  query: { to: Hex; k: number },
) => Promise<{ meta: ApiMeta; nodes: ApiNode[] }>

/** How many nodes are taken for listed before the first answer tells. */
const FIRST_GUESS = 2 ** 20

/**
 * Whoever shares more leading bits is closer, so the nodes of a prefix that holds k of them hold the
 * answer; the prefix is widened until it does. Where it begins is learnt from the answer before, and is
 * a matter of speed only.
 */
export function createClosestNodes(): ClosestNodes {
  let listed = FIRST_GUESS
  return async (db, { to, k }) => {
    let bits = Math.max(0, Math.floor(Math.log2(Math.max(1, listed / (2 * k)))))
    for (;;) {
      const { meta, rows } = await readPrefix(db, { to, k, bits })
      if (rows.length >= k || bits === 0) {
        listed = (rows[0]?.among ?? 0) * 2 ** bits
        return { meta, nodes: rows.map(nodeAnswer) }
      }
      bits -= 1
    }
  }
}

/** The closest of those that share so many bits with the address; each row tells how many those are. */
function readPrefix(db: Queryable, { to, k, bits }: { to: Hex; k: number; bits: number }) {
  const range = prefixRange(fromHex(to, 32), bits)
  return readOfBlock<PricedNode & { among: number }>(
    db,
    `SELECT ${columnsOf(NODE_TABLE)}, among, ${pricesAt(NOW)} AS prices FROM (
       SELECT *, count(*) OVER () AS among,
         ('x' || encode(overlay_address, 'hex'))::bit(256) # $4::bit(256) AS distance
       FROM node WHERE ${LISTED} AND overlay_address BETWEEN $2::bytea AND $3::bytea
       ORDER BY distance LIMIT $5::integer
     ) AS node ORDER BY distance`,
    [bytea(range.first), bytea(range.last), to.slice(1), k],
  )
}
