/** What subscribers are told: appended in the transaction that it speaks of, read in the same order. */
import type { ChainEvent, Hex } from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'

/** Rows that are kept for subscribers who were away; older ones of final blocks go. */
export const OUTBOX_ROWS = 100_000

/** Blocks that were taken in by one commit. Those that count as final come without their events. */
export interface BlocksBody {
  fromBlock: number
  toBlock: number
  /** Unix seconds of the last block. */
  time: number
  /** Events of these blocks, whether told one by one or not. */
  events: number
  /** The last final block. */
  finalized: number
}

/** An event as JSON: money and sequence numbers are decimal strings, bytes 0x-hex. */
export type EventBody = { type: ChainEvent['type']; logIndex: number } & Record<string, unknown>

interface Place {
  /** Rises with every row; gaps mean nothing. */
  id: number
  /** For `blocks` the last one. */
  blockNumber: number
  blockHash: Hex
}

/** A row of the outbox. A retraction repeats the body of the row that it takes back. */
export type OutboxRow = Place &
  (
    | { kind: 'blocks'; retracts: null; body: BlocksBody }
    | { kind: 'event'; retracts: null; body: EventBody }
    | { kind: 'retraction'; retracts: number; body: BlocksBody | EventBody }
  )

/** At most `limit` rows after the one with this id, in order. */
export function readOutbox(db: Queryable, afterId: number, limit: number): Promise<OutboxRow[]> {
  return db.query<OutboxRow>(
    `SELECT id, kind, block_number AS "blockNumber", block_hash AS "blockHash", retracts, body
     FROM outbox WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint`,
    [afterId, limit],
  )
}

/**
 * The ids of the oldest and the newest row, 0 and 0 when there is none. Whoever has seen less than
 * `oldest - 1` may have missed something, and asks for everything anew.
 */
export async function readOutboxBounds(db: Queryable): Promise<{ oldest: number; newest: number }> {
  const [row] = await db.query<{ oldest: number; newest: number }>(
    'SELECT coalesce(min(id), 0) AS oldest, coalesce(max(id), 0) AS newest FROM outbox',
    [],
  )
  return row ?? { oldest: 0, newest: 0 }
}

/** What one commit tells. */
export interface Told {
  block: { number: number; hash: Hex }
  blocks: BlocksBody
  /** Events of a block that is not final; none for blocks that are. */
  events: readonly ChainEvent[]
}

/** Appends what a commit tells. */
export async function appendOutbox(tx: Queryable, { block, blocks, events }: Told): Promise<void> {
  const rows = [
    ...events.map((event) => ({ kind: 'event', body: eventBody(event) })),
    { kind: 'blocks', body: blocks },
  ]
  await tx.query(
    `INSERT INTO outbox (kind, block_number, block_hash, body)
     SELECT kind, $1::bigint, $2::bytea, body
     FROM jsonb_to_recordset($3::jsonb) AS input(kind text, body jsonb)`,
    [block.number, bytea(block.hash), JSON.stringify(rows)],
  )
}

function eventBody(event: ChainEvent): EventBody {
  const { blockNumber: _number, blockHash: _hash, ...rest } = event
  return JSON.parse(
    JSON.stringify(rest, (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
  ) as EventBody
}
