/** How ingestion is doing, passed through the database from the process that writes to those that answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, errorCode, MainframeError } from '@mainframe/protocol'
import type { Database } from '../db/database.ts'
import type { SyncStatus } from './status.ts'
import { readCursor } from './store.ts'

const TELL_MS = 1_000
/** A status that is older is of a process that is gone. */
const STALE_SECONDS = 15

/** Writes `status` down every second, until aborted. */
export async function tellStatus(
  db: Database,
  status: () => SyncStatus,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { head, problem } = status()
    const code = problem === undefined ? null : (errorCode(problem) ?? 'INTERNAL')
    // where the database is away there is nobody to tell
    await db
      .write((tx) =>
        tx.query(
          `INSERT INTO ingest_status (head, problem, told_at) VALUES ($1::bigint, $2::text, now())
           ON CONFLICT (only_row)
           DO UPDATE SET head = excluded.head, problem = excluded.problem, told_at = now()`,
          [head, code],
        ),
      )
      .catch(() => undefined)
    await sleep(TELL_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** The status as the writing process told it. `run` looks for it every second, until aborted. */
export function watchStatus(db: Database, finalityDepth: number) {
  let status: SyncStatus = { block: null, head: null, problem: undefined, finalityDepth }
  return {
    status: () => status,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        status = await readStatus(db, finalityDepth).catch((problem) => ({ ...status, problem }))
        await sleep(TELL_MS, undefined, { signal }).catch(() => undefined)
      }
    },
  }
}

async function readStatus(db: Database, finalityDepth: number): Promise<SyncStatus> {
  return db.read(async (tx) => {
    const [told] = await tx.query<{ head: number | null; problem: ErrorCode | null; age: number }>(
      `SELECT head, problem, extract(epoch FROM now() - told_at)::integer AS age FROM ingest_status`,
      [],
    )
    if (!told || told.head === null) {
      return { block: null, head: null, problem: undefined, finalityDepth }
    }
    const { number: block } = await readCursor(tx)
    const { head, problem: code, age } = told
    const problem =
      age > STALE_SECONDS
        ? new MainframeError('INDEXER_NOT_READY', 'No process takes in the chain any more')
        : code && new MainframeError(code, 'Taking in the chain has stalled')
    return { block, head: Math.max(head, block), problem: problem ?? undefined, finalityDepth }
  })
}
