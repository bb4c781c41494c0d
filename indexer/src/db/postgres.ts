import { MainframeError } from '@mainframe/protocol'
import pg from 'pg'
import { COLUMN_PARSERS, type Database, type Queryable, type SqlValue } from './database.ts'
import { createMutex } from './mutex.ts'

/**
 * Connections of either kind for answering; the writer has one of its own. Each plans its statements
 * and maps the server's memory for itself, which takes thousands of answers and costs several times as
 * much as they do: more of them than a small machine has cores make every answer dearer.
 */
const MAX_READERS = 2
/**
 * For rows by an index: a plan that fits every parameter fits these, and planning costs as much as they
 * do. Sums and searches are planned for what is asked, by connections that only they wait for.
 */
const PLAN_ONCE = 'SET plan_cache_mode = force_generic_plan'
/** No answer of this service needs longer; a runaway query must not hold a connection. */
const STATEMENT_TIMEOUT_MS = 20_000
const CONNECT_TIMEOUT_MS = 5_000

/** SQLSTATEs that mean "the server or the connection", or "it took too long", not "the statement". */
const UNREACHABLE = /^(?:08|53|57P|57014)/

/**
 * A PostgreSQL server. The writing connection holds an advisory lock for the schema, so a second
 * indexer on the same data is refused with `STORE_LOCKED`; when the connection dies, the next write
 * takes a new one, lock and all. With `readOnly` that connection is not made.
 */
export async function openPostgres(url: string, readOnly = false): Promise<Database> {
  const db = new PostgresDatabase(url)
  try {
    await (readOnly
      ? db.read((tx) => tx.query('SELECT 1'))
      : db.write((tx) => tx.query('SELECT 1')))
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

class PostgresDatabase implements Database {
  readonly #config: pg.ClientConfig
  readonly #lookUps: pg.Pool
  readonly #searches: pg.Pool
  readonly #exclusive = createMutex()
  #writer: pg.Client | undefined

  constructor(url: string) {
    this.#config = {
      connectionString: url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      // a server that is cut off says nothing
      keepAlive: true,
      types: { getTypeParser: (oid: number) => COLUMN_PARSERS[oid] ?? String } as never,
    }
    this.#lookUps = createPool({
      ...this.#config,
      onConnect: (client) => client.query(PLAN_ONCE),
    })
    this.#searches = createPool(this.#config)
  }

  async query<R extends object>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    const client = await this.#lookUps.connect().catch(rethrow)
    try {
      return await runStatement<R>(client, sql, params)
    } finally {
      client.release()
    }
  }

  async read<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await this.#searches.connect().catch(rethrow)
    try {
      return await inTransaction(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work)
    } finally {
      client.release()
    }
  }

  write<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#exclusive(async () => {
      this.#writer ??= await this.#connectWriter()
      return inTransaction(this.#writer, 'BEGIN', work)
    })
  }

  async close(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#writer?.end().catch(() => undefined)
    })
    await Promise.all([this.#lookUps.end(), this.#searches.end()])
  }

  async #connectWriter(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.#config, pipeline: true })
    client.on('error', () => undefined)
    client.on('end', () => {
      if (this.#writer === client) this.#writer = undefined
    })
    try {
      await client.connect()
      const key = `hashtextextended('mainframe-indexer ' || current_schema(), 0)`
      const { rows } = await client.query(`SELECT pg_try_advisory_lock(${key}) AS taken`)
      if (rows[0]?.taken) return client
    } catch (error) {
      await client.end().catch(() => undefined)
      return rethrow(error)
    }
    await client.end()
    throw new MainframeError('STORE_LOCKED', 'Another indexer writes to this database')
  }
}

function createPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    ...config,
    max: MAX_READERS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // a new one would have everything to plan and to map again
    idleTimeoutMillis: 0,
  })
  // A connection that dies emits here while it is idle, and itself while it is in use or handed over:
  // without a listener either would end the process. The pool drops it by itself.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

async function runStatement<R extends object>(
  client: pg.ClientBase,
  sql: string,
  params?: readonly SqlValue[],
): Promise<R[]> {
  const answer = await client.query(params ? prepared(sql, params) : sql).catch(rethrow)
  // a script answers with one result for each statement
  const last = Array.isArray(answer) ? answer.at(-1) : answer
  return last.rows as R[]
}

async function inTransaction<T>(
  client: pg.ClientBase,
  begin: string,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const tx: Queryable = { query: (sql, params) => runStatement(client, sql, params) }
  try {
    await tx.query(begin)
    const result = await work(tx)
    await tx.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** Names of statements by their text: every text is one of this program's own, so they are few. */
const names = new Map<string, string>()

/** A statement with parameters is parsed once a connection, and planned anew only while that pays. */
function prepared(text: string, params: readonly SqlValue[]): pg.QueryConfig {
  const name = names.get(text) ?? `s${names.size}`
  names.set(text, name)
  return { name, text, values: [...params] }
}

/** The URL may hold a password: neither it nor a driver's text about it is repeated. */
function rethrow(error: unknown): never {
  if (error instanceof MainframeError) throw error
  const { code, message } = error as { code?: string; message: string }
  const fromServer = code !== undefined && /^[0-9A-Z]{5}$/.test(code)
  if (!fromServer || UNREACHABLE.test(code)) {
    throw new MainframeError('STORE_UNREACHABLE', 'The database does not answer', {
      details: { reason: code },
      cause: error,
      retryable: true,
    })
  }
  throw new MainframeError('INTERNAL', `PostgreSQL: ${message}`, {
    details: { sqlState: code },
    cause: error,
  })
}
