/** Where ingestion stands and what it writes: data, cursor and journal in one transaction. */
import { type Deployment, GENESIS_HEAD, type Hex, MainframeError } from '@mainframe/protocol'
import type { BlockHeader } from '../chain/chain-reader.ts'
import { bytea, type Database, type Queryable } from '../db/database.ts'
import { insertRows, LOG_TABLE } from '../db/tables.ts'
import { appendOutbox, OUTBOX_ROWS, type Told } from '../repositories/outbox.ts'
import { keepSeeds, reduceEvents, writeChanged } from './apply.ts'
import type { Cursor, VerifiedBatch } from './batch.ts'
import { DERIVATION } from './rederive.ts'

/** What the database was filled from. `anchor` is the block before the deployment's first. */
export interface ChainState {
  chainId: number
  deployment: Deployment
  anchor: { number: number; hash: Hex }
  finalized: number
  /** The rules that filled the tables. */
  derivation: number
}

interface BlockRow {
  number: number
  hash: Hex
  time: number
  registrySeq: number
  registryHead: Hex
  boardSeq: number
  boardHead: Hex
}

const BLOCK_COLUMNS = `number, hash, time, registry_seq AS "registrySeq",
  registry_head AS "registryHead", board_seq AS "boardSeq", board_head AS "boardHead"`

/** The state of the database; `undefined` before its first start. */
export async function readState(tx: Queryable): Promise<ChainState | undefined> {
  const [row] = await tx.query<{
    chainId: number
    deployment: Deployment
    anchorNumber: number
    anchorHash: Hex
    finalized: number
    derivation: number
  }>(`SELECT chain_id AS "chainId", deployment, anchor_number AS "anchorNumber",
      anchor_hash AS "anchorHash", finalized, derivation FROM chain_state`)
  if (!row) return undefined
  const { anchorNumber, anchorHash, ...state } = row
  return { ...state, anchor: { number: anchorNumber, hash: anchorHash } }
}

/** The last block taken in. */
export async function readCursor(tx: Queryable): Promise<Cursor> {
  const [row] = await tx.query<BlockRow>(
    `SELECT ${BLOCK_COLUMNS} FROM chain_block ORDER BY number DESC LIMIT 1`,
  )
  if (!row) throw new MainframeError('STORE_CORRUPT', 'The database has no last block')
  const { registrySeq, registryHead, boardSeq, boardHead, ...block } = row
  return {
    ...block,
    registry: { seq: BigInt(registrySeq), head: registryHead },
    board: { seq: BigInt(boardSeq), head: boardHead },
  }
}

/** Blocks that are kept because they may still change, the newest first; the last one is final. */
export function readWindow(tx: Queryable): Promise<{ number: number; hash: Hex }[]> {
  return tx.query('SELECT number, hash FROM chain_block ORDER BY number DESC', [])
}

/** First start: following begins after `anchor`. */
export async function initialiseState(
  db: Database,
  deployment: Deployment,
  anchor: BlockHeader,
): Promise<void> {
  const { number, hash, time } = anchor
  await db.write(async (tx) => {
    await tx.query(
      `INSERT INTO chain_state (chain_id, deployment, anchor_number, anchor_hash, finalized, derivation)
       VALUES ($1::bigint, $2::jsonb, $3::bigint, $4::bytea, $3::bigint, $5::integer)`,
      [deployment.chainId, JSON.stringify(deployment), number, bytea(hash), DERIVATION],
    )
    await insertBlock(tx, { number, hash, time, registry: GENESIS_HEAD, board: GENESIS_HEAD })
  })
}

/** What {@link commitBatch} writes, and onto which block. */
export interface Commit {
  previous: Cursor
  batch: VerifiedBatch
  /** Number of the last final block, at most the batch's last; never falls. */
  finalized: number
  deployment: Deployment
}

/**
 * Writes a batch, the new cursor, what subscribers are told and, for a block that is not final, the
 * undo journal, all or nothing. Throws `STORE_LOCKED` when another writer has moved the cursor meanwhile.
 */
export async function commitBatch(db: Database, commit: Commit): Promise<void> {
  const { previous, batch, finalized, deployment } = commit
  const { cursor } = batch
  await db.write(async (tx) => {
    await assertCursor(tx, previous)
    const journal = cursor.number > finalized ? cursor.number : undefined
    const changed = await reduceEvents(tx, { batch, deployment })
    // sent together, run in this order: a round trip each would take as long as they do
    await Promise.all([
      writeChanged(tx, changed, journal),
      keepSeeds(tx, changed.nodes),
      insertRows(tx, LOG_TABLE, batch.logs),
      insertBlock(tx, cursor),
      appendOutbox(tx, toldOf(commit)),
      tx.query('SELECT finalize($1::bigint, $2::bigint)', [finalized, OUTBOX_ROWS]),
    ])
  })
}

function toldOf({ previous, batch, finalized }: Commit): Told {
  const { number, hash, time } = batch.cursor
  const fromBlock = previous.number + 1
  const events = batch.events.length
  return {
    block: { number, hash },
    blocks: { fromBlock, toBlock: number, time, events, finalized },
    // what is final was never news: a subscriber who waits for it asks for the state
    events: number > finalized ? batch.events : [],
  }
}

/** Undoes every block after `ancestor`, which must be one of {@link readWindow}. */
export async function rollbackTo(db: Database, previous: Cursor, ancestor: number): Promise<void> {
  await db.write(async (tx) => {
    await assertCursor(tx, previous)
    await tx.query('SELECT forget_after($1::bigint)', [ancestor])
  })
}

async function assertCursor(tx: Queryable, { number, hash }: Cursor): Promise<void> {
  await tx.query('SELECT 1 FROM chain_state FOR UPDATE', [])
  const cursor = await readCursor(tx)
  if (cursor.number !== number || cursor.hash !== hash) {
    throw new MainframeError('STORE_LOCKED', 'Another indexer writes to this database')
  }
}

async function insertBlock(tx: Queryable, cursor: Cursor): Promise<void> {
  const { number, hash, time, registry, board } = cursor
  await tx.query(
    `INSERT INTO chain_block VALUES ($1::bigint, $2::bytea, $3::bigint,
       $4::bigint, $5::bytea, $6::bigint, $7::bytea)`,
    [
      number,
      bytea(hash),
      time,
      Number(registry.seq),
      bytea(registry.head),
      Number(board.seq),
      bytea(board.head),
    ],
  )
}
