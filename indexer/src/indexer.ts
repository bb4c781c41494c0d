import { MainframeError } from '@mainframe/protocol'
import { type Logger, pino } from 'pino'
import { createChainReader } from './chain/chain-reader.ts'
import { createRpcPool } from './chain/rpc-pool.ts'
import { type IndexerConfig, rpcUrlsOf } from './config.ts'
import type { Database } from './db/database.ts'
import { openDatabase } from './db/open.ts'
import { buildApp } from './http/app.ts'
import type { App } from './http/context.ts'
import { createBlockCache } from './repositories/block-cache.ts'
import { Follower } from './sync/follower.ts'
import { tellStatus, watchStatus } from './sync/shared-status.ts'
import type { SyncStatus } from './sync/status.ts'
import { readState } from './sync/store.ts'

/** An indexer that listens and follows the chain. */
export interface RunningIndexer {
  /** Where it listens, such as "http://127.0.0.1:8420". */
  url: string
  /** Resolves with the error when following the chain cannot go on; otherwise never. */
  failed: Promise<Error>
  /** Answers what is under way, then closes everything. May be called twice. */
  stop(): Promise<void>
}

/**
 * Starts an indexer. It listens as soon as its database is open and catches up meanwhile: `/readyz`
 * tells when. Throws `STORE_LOCKED`, `STORE_UNREACHABLE`, `STORE_CORRUPT`, `CONFIG_IN_USE` (port) and
 * `CONFIG_INVALID` (the data is of another deployment).
 */
export async function startIndexer(config: IndexerConfig): Promise<RunningIndexer> {
  const { deployment, finalityDepth, rateLimitPerMinute } = config
  const log = pino({ level: config.logLevel }, pino.destination({ fd: 2, sync: true }))
  const db = await openDatabase({ ...config, readOnly: config.role === 'api' })
  const abort = new AbortController()
  const ingestion =
    config.role === 'api' ? watch(db, finalityDepth) : ingest(db, config, { log, abort })
  const context = {
    db,
    deployment,
    cache: createBlockCache(),
    status: ingestion.status,
    isStopping: () => abort.signal.aborted,
  }
  let app: App | undefined
  const stop = async () => {
    abort.abort()
    await ingestion.stop()
    await app?.close()
    await db.close()
  }
  try {
    await assertSameDeployment(db, config)
    app = await buildApp(context, { rateLimitPerMinute, answers: config.role !== 'ingest', log })
    const url = await listen(app, config)
    ingestion.start()
    let stopped: Promise<void> | undefined
    return {
      url,
      failed: ingestion.failed,
      stop() {
        stopped ??= stop()
        return stopped
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What fills the database, or follows what another process says of it. */
interface Ingestion {
  status: () => SyncStatus
  failed: Promise<Error>
  start(): void
  stop(): Promise<void>
}

/** Following of the chain by this process. */
function ingest(
  db: Database,
  config: IndexerConfig,
  { log, abort }: { log: Logger; abort: AbortController },
): Ingestion {
  const { deployment, finalityDepth, pollIntervalMs } = config
  const rpc = createRpcPool({
    urls: rpcUrlsOf(config.rpcUrl),
    chainId: deployment.chainId,
    requestsPerSecond: config.rpcRequestsPerSecond,
    signal: abort.signal,
    log,
  })
  const chain = createChainReader(rpc, deployment)
  const follower = new Follower(
    { finalityDepth, pollIntervalMs },
    { db, chain, deployment, log, abort },
  )
  let telling: Promise<void> | undefined
  const status = () => follower.status
  return {
    status,
    failed: follower.failed,
    start() {
      follower.start()
      // with a server there may be processes that only answer
      if (config.databaseUrl !== undefined) telling = tellStatus(db, status, abort.signal)
    },
    async stop() {
      await follower.stop()
      await telling
    },
  }
}

/** What the process that ingests says. */
function watch(db: Database, finalityDepth: number): Ingestion {
  const { status, run } = watchStatus(db, finalityDepth)
  const abort = new AbortController()
  let running: Promise<void> | undefined
  return {
    status,
    failed: new Promise(() => undefined),
    start() {
      running = run(abort.signal)
    },
    async stop() {
      abort.abort()
      await running
    },
  }
}

async function assertSameDeployment(db: Database, { deployment }: IndexerConfig): Promise<void> {
  const state = await db.read(readState)
  if (!state) return
  const keys = ['chainId', 'block', 'token', 'registry', 'board', 'channels'] as const
  if (keys.every((key) => state.deployment[key] === deployment[key])) return
  throw new MainframeError(
    'CONFIG_INVALID',
    'The stored data is of another deployment; use another data folder or database',
  )
}

async function listen(app: App, { host, port }: IndexerConfig): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (cause) {
    const { code } = cause as { code?: string }
    const inUse = code === 'EADDRINUSE'
    throw new MainframeError(
      inUse ? 'CONFIG_IN_USE' : 'CONFIG_INVALID',
      inUse
        ? `Port ${port} of ${host} is in use`
        : `Cannot listen on port ${port} of ${host}: ${code}`,
      { cause },
    )
  }
}
