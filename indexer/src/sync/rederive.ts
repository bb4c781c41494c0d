/** Fills node, price and channel again from the stored logs, after a change of the rules or tables. */
import {
  type ChainEvent,
  type Deployment,
  type Hex,
  MainframeError,
  type RawLog,
} from '@mainframe/protocol'
import { decodeLog } from '../chain/decode.ts'
import type { Database, Queryable } from '../db/database.ts'
import type { StoredLog } from '../db/tables.ts'
import { applyEvents } from './apply.ts'

/** The rules that this indexer fills tables by; to be raised with every change of what rows hold. */
export const DERIVATION = 1

/**
 * Logs that are read, reduced and written together: several changes of one row are written once. With
 * more of them nothing is collected while it is young.
 */
const LOGS_AT_ONCE = 2_000
const WORD_DIGITS = 64

/**
 * Fills the tables from event_log in one transaction, with the undo journal of the blocks that are
 * not final. The chain is not asked. Returns how many events there were. Throws `STORE_CORRUPT` when
 * a stored log does not decode any more.
 */
export async function rederive(db: Database, deployment: Deployment): Promise<number> {
  return db.write(async (tx) => {
    const [state] = await tx.query<{ finalized: number }>(
      'SELECT finalized FROM chain_state FOR UPDATE',
      [],
    )
    const finalized = state?.finalized ?? 0
    await tx.query('TRUNCATE node, price, channel, undo')
    const indexes = await dropIndexes(tx)
    let count = await rederiveFinal(tx, deployment, finalized)
    const live = await tx.query<{ number: number }>(
      'SELECT number FROM chain_block WHERE number > $1::bigint ORDER BY number',
      [finalized],
    )
    for (const { number } of live) {
      const logs = await readLogs(tx, 'block_number = $1::bigint AND $2::integer IS NOT NULL', [
        number,
        0,
      ])
      const events = decodeStored(logs, deployment)
      await applyStored(tx, { deployment, events, seedsTo: number, journal: number })
      count += logs.length
    }
    for (const definition of indexes) await tx.query(definition)
    await tx.query('UPDATE chain_state SET derivation = $1::integer', [DERIVATION])
    return count
  })
}

/** Indexes that are not asked meanwhile: to build them at the end is less work. Returns how to. */
async function dropIndexes(tx: Queryable): Promise<string[]> {
  const indexes = await tx.query<{ name: string; definition: string }>(
    `SELECT indexname AS name, indexdef AS definition FROM pg_indexes
     WHERE schemaname = current_schema() AND tablename IN ('node', 'price', 'channel')
       AND indexname <> 'node_unplaced' AND indexdef NOT LIKE 'CREATE UNIQUE %'`,
    [],
  )
  for (const { name } of indexes) await tx.query(`DROP INDEX ${name}`)
  return indexes.map(({ definition }) => definition)
}

/** What rows follow from. */
type KeptLog = Pick<StoredLog, 'blockNumber' | 'logIndex' | 'address' | 'topics' | 'data'>

async function rederiveFinal(
  tx: Queryable,
  deployment: Deployment,
  finalized: number,
): Promise<number> {
  let count = 0
  const after = `(block_number, log_index) > ($1::bigint, $2::integer) AND block_number <= ${finalized}`
  let applying: Promise<void> = Promise.resolve()
  let logs = await readLogs(tx, after, [-1, 0])
  try {
    for (let last = logs.at(-1); last; last = logs.at(-1)) {
      count += logs.length
      // the database reads and writes while this process decodes
      const next = readLogs(tx, after, [last.blockNumber, last.logIndex])
      next.catch(() => undefined)
      const events = decodeStored(logs, deployment)
      await applying
      applying = applyStored(tx, { deployment, events, seedsTo: finalized, journal: undefined })
      applying.catch(() => undefined) // awaited by the next turn, or below
      logs = await next
    }
  } finally {
    // nothing of it may come after the end of the transaction
    await applying
  }
  return count
}

function readLogs(tx: Queryable, condition: string, params: [number, number]): Promise<KeptLog[]> {
  return tx.query<KeptLog>(
    `SELECT block_number AS "blockNumber", log_index AS "logIndex", address, topics, data
     FROM event_log WHERE ${condition}
     ORDER BY block_number, log_index LIMIT ${LOGS_AT_ONCE}`,
    params,
  )
}

interface StoredEvents {
  deployment: Deployment
  events: readonly ChainEvent[]
  /** The last block whose hash may place a node. */
  seedsTo: number
  journal: number | undefined
}

async function applyStored(tx: Queryable, stored: StoredEvents): Promise<void> {
  const { deployment, events, seedsTo, journal } = stored
  const first = journal ?? events[0]?.blockNumber ?? 0
  const last = journal ?? (events.at(-1)?.blockNumber ?? 0) + 1
  const seeds = await tx.query<{ number: number; hash: Hex }>(
    'SELECT number, hash FROM block_seed WHERE number BETWEEN $1::bigint AND $2::bigint',
    [first, Math.min(last, seedsTo)],
  )
  const batch = { events, seeds: new Map(seeds.map(({ number, hash }) => [number, hash])) }
  await applyEvents(tx, { batch, deployment, journal })
}

function decodeStored(logs: readonly KeptLog[], deployment: Deployment): ChainEvent[] {
  return logs.map((log) => {
    const event = decodeLog(rawLog(log), deployment)
    if (event) return event
    const where = `log ${log.logIndex} of block ${log.blockNumber}`
    throw new MainframeError('STORE_CORRUPT', `The stored ${where} does not decode`)
  })
}

/** No row says of which block or transaction it is by a hash. */
const NO_HASHES = { blockHash: '0x', transactionHash: '0x' } as const

function rawLog(log: KeptLog): RawLog {
  const topics: Hex[] = []
  for (let at = 2; at < log.topics.length; at += WORD_DIGITS) {
    topics.push(`0x${log.topics.slice(at, at + WORD_DIGITS)}`)
  }
  const { address, data } = log
  const blockNumber: Hex = `0x${log.blockNumber.toString(16)}`
  const logIndex: Hex = `0x${log.logIndex.toString(16)}`
  return { address, data, topics, blockNumber, logIndex, ...NO_HASHES }
}
