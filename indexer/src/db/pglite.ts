import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { MainframeError } from '@mainframe/protocol'
import type { Database, Queryable, SqlValue } from './database.ts'
import { lockFolder } from './folder-lock.ts'
import { createMutex } from './mutex.ts'
import type { WorkerAnswer, WorkerRequest } from './pglite-worker.ts'

interface Waiter {
  resolve: (rows: object[]) => void
  reject: (error: unknown) => void
}

/**
 * PostgreSQL compiled to wasm, in a worker thread, with its data in `folder` or, without one, in
 * memory. PGlite does not guard its files, so the folder is locked first (`STORE_LOCKED`).
 */
export async function openPglite(folder?: string): Promise<Database> {
  const unlock = folder === undefined ? () => undefined : lockFolder(folder)
  const db = new PgliteDatabase(folder === undefined ? undefined : join(folder, 'pg'), unlock)
  try {
    await db.read((tx) => tx.query('SELECT 1', []))
    return db
  } catch (cause) {
    await db.close()
    const where = folder === undefined ? 'in memory' : `in ${folder}`
    throw new MainframeError('STORE_CORRUPT', `The database ${where} cannot be opened`, { cause })
  }
}

class PgliteDatabase implements Database {
  readonly #worker: Worker
  readonly #unlock: () => void
  readonly #waiters = new Map<number, Waiter>()
  readonly #exclusive = createMutex()
  readonly #connection: Queryable = {
    query: <R extends object>(sql: string, params?: readonly SqlValue[]) =>
      this.#ask({ sql, ...(params && { params }) }) as Promise<R[]>,
  }
  #nextId = 1
  #gone: Error | undefined

  constructor(folder: string | undefined, unlock: () => void) {
    this.#unlock = unlock
    const file = new URL('./pglite-worker.ts', import.meta.url)
    this.#worker = new Worker(file, { workerData: { folder } })
    this.#worker.on('message', (answer: WorkerAnswer) => this.#settle(answer))
    this.#worker.on('error', (error) => this.#lose(error))
    this.#worker.on('exit', () => this.#lose(new MainframeError('STORE_UNREACHABLE', 'Closed')))
  }

  query<R extends object>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    return this.#exclusive(() => this.#connection.query<R>(sql, params))
  }

  /** One connection and one task at a time are a snapshot already. */
  read<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#exclusive(() => work(this.#connection))
  }

  write<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#exclusive(async () => {
      await this.#ask({ sql: 'BEGIN' })
      try {
        const result = await work(this.#connection)
        await this.#ask({ sql: 'COMMIT' })
        return result
      } catch (error) {
        await this.#ask({ sql: 'ROLLBACK' }).catch(() => undefined)
        throw error
      }
    })
  }

  async close(): Promise<void> {
    await this.#exclusive(() => this.#ask({})).catch(() => undefined)
    await this.#worker.terminate()
    this.#unlock()
  }

  #ask(request: Omit<WorkerRequest, 'id'>): Promise<object[]> {
    if (this.#gone) return Promise.reject(this.#gone)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject })
      this.#worker.postMessage({ id, ...request })
    })
  }

  #settle({ id, rows, error }: WorkerAnswer): void {
    const waiter = this.#waiters.get(id)
    this.#waiters.delete(id)
    if (error) {
      const details = { sqlState: error.code }
      waiter?.reject(new MainframeError('INTERNAL', `PGlite: ${error.message}`, { details }))
    } else waiter?.resolve(rows ?? [])
  }

  #lose(error: Error): void {
    this.#gone ??= error
    for (const waiter of this.#waiters.values()) waiter.reject(error)
    this.#waiters.clear()
  }
}
