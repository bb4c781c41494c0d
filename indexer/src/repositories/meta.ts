import { type ApiMeta, type Hex, MainframeError } from '@mainframe/protocol'
import type { Queryable } from '../db/database.ts'

/** The state of the chain that the rest of the transaction speaks of. Throws `INDEXER_NOT_READY`. */
export async function readMeta(tx: Queryable): Promise<ApiMeta> {
  const [row] = await tx.query<{
    chainId: number
    finalized: number
    number: number
    hash: Hex
    time: number
    registrySeq: number
    registryHead: Hex
    boardSeq: number
    boardHead: Hex
  }>(
    `SELECT chain_id AS "chainId", finalized, number, hash, time,
       registry_seq AS "registrySeq", registry_head AS "registryHead",
       board_seq AS "boardSeq", board_head AS "boardHead"
     FROM chain_state, chain_block ORDER BY number DESC LIMIT 1`,
    [],
  )
  if (!row) {
    throw new MainframeError('INDEXER_NOT_READY', 'No block of the chain has been read yet', {
      retryable: true,
    })
  }
  const { chainId, finalized, number, hash, time } = row
  return {
    chainId,
    block: { number, hash, time },
    finalized,
    // a development chain may be ahead of the clock, an idle one behind it
    now: Math.max(Math.floor(Date.now() / 1000), time),
    registry: { seq: row.registrySeq, head: row.registryHead },
    board: { seq: row.boardSeq, head: row.boardHead },
  }
}
