import { type ApiMeta, MainframeError } from '@mainframe/protocol'
import type { Queryable, SqlValue } from '../db/database.ts'

const LOG = (contract: string) =>
  `json_build_object('seq', ${contract}_seq, 'head', '0x' || encode(${contract}_head, 'hex'))`

/**
 * SQL for one row, the state of the chain: `meta` as JSON, and in `now` the time at which prices are in
 * force. The clock is parameter $1: a development chain may be ahead of it, an idle one behind.
 */
const CHAIN = `(
  SELECT greatest($1::bigint, time) AS now, json_build_object(
    'chainId', chain_id, 'finalized', finalized, 'now', greatest($1::bigint, time),
    'block', json_build_object('number', number, 'hash', '0x' || encode(hash, 'hex'), 'time', time),
    'registry', ${LOG('registry')}, 'board', ${LOG('board')}
  )::text AS meta
  FROM chain_state, chain_block ORDER BY number DESC LIMIT 1
) AS chain`

/** SQL for the time of prices inside the statement of {@link readOfBlock}. */
export const NOW = 'chain.now'

/** The state of the chain that the rest of the transaction speaks of. Throws `INDEXER_NOT_READY`. */
export async function readMeta(tx: Queryable): Promise<ApiMeta> {
  const [row] = await tx.query<{ meta: string }>(`SELECT meta FROM ${CHAIN}`, [clockSeconds()])
  return parseMeta(row)
}

/** Rows, and the state of the chain that they are of. */
export interface OfBlock<R> {
  meta: ApiMeta
  rows: R[]
}

/**
 * Runs a SELECT, and reads the state of the chain in the same statement, hence in the same snapshot.
 * Its parameters begin with $2; it may use {@link NOW}. The rows keep its order. Throws
 * `INDEXER_NOT_READY`.
 */
export async function readOfBlock<R extends object>(
  tx: Queryable,
  select: string,
  params: readonly SqlValue[],
): Promise<OfBlock<R>> {
  type Row = R & { meta: string; there: true | null }
  // the state is one row, so that joining keeps the order; without any row of the SELECT it is still told
  const found = await tx.query<Row>(
    `SELECT chain.meta, answer.* FROM ${CHAIN}
     LEFT JOIN LATERAL (SELECT true AS there, selected.* FROM (${select}) AS selected) AS answer ON true`,
    [clockSeconds(), ...params],
  )
  return { meta: parseMeta(found[0]), rows: found[0]?.there === true ? found : [] }
}

function clockSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

/** Of each row the text is the same: it is parsed once. */
function parseMeta(row: { meta: string } | undefined): ApiMeta {
  if (row) return JSON.parse(row.meta) as ApiMeta
  throw new MainframeError('INDEXER_NOT_READY', 'No block of the chain has been read yet', {
    retryable: true,
  })
}
