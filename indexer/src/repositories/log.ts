/** The verifiable logs of registry and board, as the chain carries them. */
import type { ApiLogLine, Hex } from '@mainframe/protocol'
import { REGISTERED } from '../chain/decode.ts'
import { bytea, type Queryable } from '../db/database.ts'
import { columnsOf, LOG_TABLE, type StoredLog } from '../db/tables.ts'

/** A part of one contract's log. */
export interface LogQuery {
  address: Hex
  fromSeq: number
  limit: number
}

/** Events from `fromSeq` on, in order, with the seed block of those that are registrations. */
export async function readLog(tx: Queryable, query: LogQuery): Promise<ApiLogLine[]> {
  const rows = await tx.query<StoredLog & { seedBlockHash: Hex | null }>(
    `SELECT ${columnsOf(LOG_TABLE, 'log')}, node.seed_block_hash AS "seedBlockHash" FROM (
       SELECT * FROM event_log WHERE address = $1::bytea AND seq >= $2::bigint
       ORDER BY seq LIMIT $3::integer
     ) AS log LEFT JOIN node ON substring(log.topics FOR 32) = $4::bytea
       AND node.node_id = substring(log.topics FROM 33 FOR 32) ORDER BY log.seq`,
    [bytea(query.address), query.fromSeq, query.limit, bytea(REGISTERED)],
  )
  return rows.map(({ address: _, topics, seq, head, ...rest }) => ({
    seq: Number(seq),
    head: head as Hex,
    ...rest,
    topics: wordsOf(topics),
  }))
}

function wordsOf(topics: Hex): Hex[] {
  return (topics.slice(2).match(/.{64}/g) ?? []).map((topic): Hex => `0x${topic}`)
}
