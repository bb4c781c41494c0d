/** Fills node, price and channel again from the stored logs, after a change of the rules or tables. */
import { type Deployment, type Hex, MainframeError, type RawLog } from '@mainframe/protocol'
import { decodeLog } from '../chain/decode.ts'
import type { Database, Queryable } from '../db/database.ts'
import type { StoredLog } from '../db/tables.ts'
import { applyEvents, readBaseRows, writeChanged } from './apply.ts'
import { type DerivedEvents, reduceBatch } from './batch.ts'
import { HeldRows } from './held-rows.ts'

/** The rules that this indexer fills tables by; to be raised with every change of what rows hold. */
export const DERIVATION = 1

const WORD_DIGITS = 64

/** How much is read at once, and how much is held back. */
export interface RederiveSizes {
  /** Logs that are read and reduced together. With more of them nothing is collected while it is young. */
  logsAtOnce: number
  /** Rows of each table that are held in memory: what changes again meanwhile is written once. */
  heldRows: number
}

const SIZES: RederiveSizes = { logsAtOnce: 2_000, heldRows: 10_000 }

/**
 * Fills the tables from event_log in one transaction, with the undo journal of the blocks that are
 * not final. The chain is not asked. Returns how many events there were. Throws `STORE_CORRUPT` when
 * a stored log does not decode any more.
 */
export async function rederive(
  db: Database,
  deployment: Deployment,
  sizes: RederiveSizes = SIZES,
): Promise<number> {
  return db.write(async (tx) => {
    const [state] = await tx.query<{ finalized: number }>(
      'SELECT finalized FROM chain_state FOR UPDATE',
      [],
    )
    const finalized = state?.finalized ?? 0
    await tx.query('TRUNCATE node, price, channel, undo')
    const indexes = await dropIndexes(tx)
    let count = await rederiveFinal({ tx, deployment, finalized, sizes })
    const live = await tx.query<{ number: number }>(
      'SELECT number FROM chain_block WHERE number > $1::bigint ORDER BY number',
      [finalized],
    )
    for (const { number } of live) {
      const logs = await readLogs(tx, 'block_number = $1::bigint ORDER BY log_index', [number])
      const batch = decodeStored(
        { logs, seeds: await readSeeds(tx, '$1::bigint AND $1::bigint', [number]) },
        deployment,
      )
      await applyEvents(tx, { batch, deployment, journal: number })
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

/** What is derived from the blocks that are final. */
interface Final {
  tx: Queryable
  deployment: Deployment
  finalized: number
  sizes: RederiveSizes
}

/**
 * The database writes the rows of one chunk while this process works out those of the next. So what a
 * chunk builds on is read before the last rows are written, and {@link HeldRows} has those.
 */
async function rederiveFinal(final: Final): Promise<number> {
  const { tx, deployment, sizes } = final
  const held = new HeldRows()
  let count = 0
  let writing: Promise<void> = Promise.resolve()
  try {
    for await (const batch of readFinal(final)) {
      const reading = quietly(readBaseRows(tx, batch, (id) => held.has(id)))
      const written = writing
      writing = quietly(writeChanged(tx, held.leaving, undefined))
      await written
      held.hold(reduceBatch(held.over(await reading, batch), batch, deployment))
      held.letGo(sizes.heldRows)
      count += batch.events.length
    }
    const last = writeChanged(tx, held.leaving, undefined)
    held.letGo(0)
    await Promise.all([writing, last, writeChanged(tx, held.leaving, undefined)])
  } finally {
    // nothing of it may come after the end of the transaction
    await writing.catch(() => undefined)
  }
  return count
}

/** For what is awaited in a later turn: until then nobody hears of a failure. */
function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** The events of the stored logs in order, the next of them being read while these are used. */
async function* readFinal({ tx, deployment, finalized, sizes }: Final) {
  const after = `(block_number, log_index) > ($1::bigint, $2::integer)
    AND block_number <= $3::bigint ORDER BY block_number, log_index LIMIT ${sizes.logsAtOnce}`
  const read = async (block: number, index: number): Promise<Kept> => {
    const params = [block, index, finalized]
    // at the same time: after the answer, the question would wait for rows that are written meanwhile
    const [logs, seeds] = await Promise.all([
      readLogs(tx, after, params),
      readSeeds(tx, `$1::bigint AND least($3::bigint, (${lastOf(after)}) + 1)`, params),
    ])
    return { logs, seeds }
  }
  let next = read(-1, 0)
  for (;;) {
    const kept = await next
    const last = kept.logs.at(-1)
    if (!last) return
    next = quietly(read(last.blockNumber, last.logIndex))
    yield decodeStored(kept, deployment)
  }
}

function lastOf(which: string): string {
  return `SELECT max(block_number) FROM (SELECT block_number FROM event_log WHERE ${which}) AS chunk`
}

/** What rows follow from. */
type KeptLog = Pick<StoredLog, 'blockNumber' | 'logIndex' | 'address' | 'topics' | 'data'>

interface Kept {
  logs: readonly KeptLog[]
  seeds: ReadonlyMap<number, Hex>
}

function readLogs(tx: Queryable, which: string, params: readonly number[]): Promise<KeptLog[]> {
  return tx.query<KeptLog>(
    `SELECT block_number AS "blockNumber", log_index AS "logIndex", address, topics, data
     FROM event_log WHERE ${which}`,
    params,
  )
}

/** Hashes of the blocks that place nodes. `between` is SQL for the first and the last of them. */
async function readSeeds(
  tx: Queryable,
  between: string,
  params: readonly number[],
): Promise<Map<number, Hex>> {
  const seeds = await tx.query<{ number: number; hash: Hex }>(
    `SELECT number, hash FROM block_seed WHERE number BETWEEN ${between}`,
    params,
  )
  return new Map(seeds.map(({ number, hash }) => [number, hash]))
}

function decodeStored({ logs, seeds }: Kept, deployment: Deployment): DerivedEvents {
  const events = logs.map((log) => {
    const event = decodeLog(rawLog(log), deployment)
    if (event) return event
    const where = `log ${log.logIndex} of block ${log.blockNumber}`
    throw new MainframeError('STORE_CORRUPT', `The stored ${where} does not decode`)
  })
  return { events, seeds }
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
