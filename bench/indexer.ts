/** How fast the indexer takes in a chain and answers, on PostgreSQL and on PGlite. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openDatabase } from '../indexer/src/db/open.ts'
import { rederive } from '../indexer/src/sync/rederive.ts'
import { readCursor, rollbackTo } from '../indexer/src/sync/store.ts'
import { Shutdown } from '../localnet/src/shutdown.ts'
import { findPostgres, startPostgres } from '../test/indexer/postgres-server.ts'
import { BENCH_DEPLOYMENT, EVENTS_PER_BLOCK } from './indexer/events.ts'
import { headToSubscriberP95 } from './indexer/live.ts'
import { type BenchIndexer, startBenchIndexer } from './indexer/process.ts'
import { addNodes, p99OfRequests, requestsOf } from './indexer/queries.ts'
import { Child } from './world/child.ts'
import { rounded } from './world/statistics.ts'

export interface IndexerFigures {
  backfillEventsPerSecond: number
  rederiveEventsPerSecond: number
  /** From the moment that the RPC has a block of 50 events to the last of them at a subscriber. */
  headToSseP95Ms: number
  prefixQueryP99Ms: number
  closest20P99Ms: number
  discoverP99Ms: number
  /** Of blocks with 50 events each. */
  rollbackMsPerBlock: number
  /** Of the indexer's process, the most during back-fill. */
  rssMb: number
}

export interface IndexerOptions {
  /** Blocks of {@link EVENTS_PER_BLOCK} events. */
  blocks: number
  nodes: { postgres: number; pglite: number }
  tell: (progress: string) => void
}

/** As docs/indexer.md advises where half a million nodes are listed: they take 900 MB with their indexes. */
const SERVER_SETTINGS = ['shared_buffers=1GB']
/** Blocks below the head that are not final; the default of the indexer. */
const FINALITY_DEPTH = 64
const QUERIES_PER_SECOND = 200
/** Discovery reads thousands of offers, and no client asks for it more than now and then. */
const DISCOVERIES_PER_SECOND = 10

interface Run {
  options: IndexerOptions
  name: 'postgres' | 'pglite'
  databaseUrl: string | undefined
}

/** Runs everything on PostgreSQL, where it is installed, and on PGlite. */
export async function benchIndexer(
  options: IndexerOptions,
): Promise<{ postgres: IndexerFigures | undefined; pglite: IndexerFigures }> {
  const binaries = findPostgres()
  let postgres: IndexerFigures | undefined
  if (binaries) {
    const server = await startPostgres(binaries, SERVER_SETTINGS)
    try {
      postgres = await measure({ options, name: 'postgres', databaseUrl: server.url })
    } finally {
      await server.stop()
    }
  }
  return { postgres, pglite: await measure({ options, name: 'pglite', databaseUrl: undefined }) }
}

async function measure(run: Run): Promise<IndexerFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-bench-'))
  const shutdown = new Shutdown()
  shutdown.add(() => rm(folder, { recursive: true }))
  const onInterrupt = () => void shutdown.stop().then(() => process.exit(130))
  process.once('SIGINT', onInterrupt)
  try {
    return await measureIn(run, folder, shutdown)
  } finally {
    process.off('SIGINT', onInterrupt)
    await shutdown.stop()
  }
}

async function measureIn(run: Run, folder: string, shutdown: Shutdown): Promise<IndexerFigures> {
  const { options, name, databaseUrl } = run
  const { blocks, tell } = options
  tell(`${name}: making up ${blocks * EVENTS_PER_BLOCK} events`)
  const chain = new Child('indexer/chain.ts', { blocks }, shutdown)
  const { port } = await chain.next('ready')
  const rpcUrl = `http://127.0.0.1:${port}`
  const start = () => startBenchIndexer({ rpcUrl, databaseUrl, folder, shutdown })

  tell(`${name}: back-filling`)
  let indexer: BenchIndexer = await start()
  const final = blocks - FINALITY_DEPTH
  const began = performance.now()
  const ended = await indexer.untilBlock(final)
  const backfillEventsPerSecond = Math.round((final * EVENTS_PER_BLOCK * 1_000) / (ended - began))
  await indexer.untilBlock(blocks)
  const rssMb = Math.round(indexer.peakRssMb())

  tell(`${name}: ${backfillEventsPerSecond} events/s, ${rssMb} MiB; live`)
  const headToSseP95Ms = await headToSubscriberP95(chain, indexer.url)
  await indexer.stop()

  tell(`${name}: ${headToSseP95Ms} ms; deriving anew, rolling back, adding nodes`)
  const own = await measureDatabase(run, join(folder, 'data'))

  tell(`${name}: ${own.rederiveEventsPerSecond} events/s; answering`)
  indexer = await start()
  const { prefix, closest, discover } = requestsOf(indexer.url)
  const figures = {
    backfillEventsPerSecond,
    rederiveEventsPerSecond: own.rederiveEventsPerSecond,
    headToSseP95Ms,
    prefixQueryP99Ms: await p99OfRequests(QUERIES_PER_SECOND, prefix),
    closest20P99Ms: await p99OfRequests(QUERIES_PER_SECOND, closest),
    discoverP99Ms: await p99OfRequests(DISCOVERIES_PER_SECOND, discover),
    rollbackMsPerBlock: own.rollbackMsPerBlock,
    rssMb,
  }
  await indexer.stop()
  return figures
}

/** The server would do it by itself, in the middle of the requests. */
async function vacuum(databaseUrl: string): Promise<void> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    await client.query('VACUUM ANALYZE')
  } finally {
    await client.end()
  }
}

/** What needs the database alone, in this process. */
async function measureDatabase({ options, name, databaseUrl }: Run, dataFolder: string) {
  const db = await openDatabase({ dataFolder, ...(databaseUrl && { databaseUrl }) })
  try {
    const began = performance.now()
    const events = await rederive(db, BENCH_DEPLOYMENT)
    const rederivedMs = performance.now() - began
    const cursor = await db.read(readCursor)
    const rollbackBegan = performance.now()
    await rollbackTo(db, cursor, cursor.number - FINALITY_DEPTH)
    const rollbackMs = performance.now() - rollbackBegan
    await addNodes(db, options.nodes[name])
    if (databaseUrl) await vacuum(databaseUrl)
    return {
      rederiveEventsPerSecond: Math.round((events * 1_000) / rederivedMs),
      rollbackMsPerBlock: rounded(rollbackMs / FINALITY_DEPTH),
    }
  } finally {
    await db.close()
  }
}
