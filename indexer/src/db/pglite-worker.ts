/**
 * The thread that PGlite runs in: a statement blocks its thread for as long as it takes, and the
 * HTTP server must go on meanwhile. One message is one statement; the order is the sender's.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { COLUMN_PARSERS, type SqlValue } from './database.ts'

/** A statement, or with `sql` left out the wish to close. */
export interface WorkerRequest {
  id: number
  sql?: string
  params?: readonly SqlValue[]
}

export interface WorkerAnswer {
  id: number
  rows?: object[]
  error?: { message: string; code: string | undefined }
}

const { folder } = workerData as { folder: string | undefined }
const asText = (value: SqlValue) => String(value)
const options = {
  parsers: COLUMN_PARSERS,
  serializers: Object.fromEntries(Object.keys(COLUMN_PARSERS).map((oid) => [oid, asText])),
}
const opened = folder === undefined ? PGlite.create(options) : PGlite.create(folder, options)
// Reported by the first statement; until somebody asks there is nobody to tell.
opened.catch(() => undefined)

async function answer({ id, sql, params }: WorkerRequest): Promise<WorkerAnswer> {
  try {
    const db = await opened
    if (sql === undefined) {
      await db.close()
      return { id }
    }
    const result = params ? await db.query(sql, [...params]) : (await db.exec(sql)).at(-1)
    return { id, rows: (result?.rows ?? []) as object[] }
  } catch (error) {
    const { message } = error as Error
    return { id, error: { message, code: (error as { code?: string }).code } }
  }
}

parentPort?.on('message', async (request: WorkerRequest) => {
  parentPort?.postMessage(await answer(request))
  if (request.sql === undefined) parentPort?.close()
})
