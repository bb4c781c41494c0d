/** The indexer as a process of its own, on its embedded database. */
import { join } from 'node:path'
import type { Chain } from './chain.ts'
import { repositoryFile } from './paths.ts'
import { Service } from './service.ts'
import type { Shutdown } from './shutdown.ts'

/** The first start of the embedded database takes a minute where several networks start at once. */
const START_TIMEOUT_MS = 180_000
/** A small chain does not repay what it costs to optimise the database's code: two fifths of a start. */
const NODE_FLAGS = ['--liftoff-only']
const POLL_INTERVAL_MS = 300
/** The local chain never reorganises by itself; a short window keeps the undo journal small. */
const FINALITY_DEPTH = 8

export interface IndexerOptions {
  chain: Chain
  folder: string
  /** 0 for a free port. */
  port: number
  shutdown: Shutdown
}

export interface Indexer {
  url: string
  service: Service
}

export async function startIndexer(options: IndexerOptions): Promise<Indexer> {
  const { chain, folder, port, shutdown } = options
  const service = new Service({
    name: 'indexer',
    args: [
      ...NODE_FLAGS,
      repositoryFile('indexer/src/cli.ts'),
      '--json',
      ...['--rpc-url', chain.rpcUrl],
      ...['--deployment', chain.deploymentFile],
      ...['--data-folder', join(folder, 'indexer')],
      ...['--port', `${port}`],
      ...['--poll-interval-ms', `${POLL_INTERVAL_MS}`],
      ...['--finality-depth', `${FINALITY_DEPTH}`],
    ],
    logFile: join(folder, 'indexer.log'),
  })
  shutdown.add(() => service.stop())
  const { url } = await service.waitFor('listening', START_TIMEOUT_MS)
  return { url: String(url), service }
}
