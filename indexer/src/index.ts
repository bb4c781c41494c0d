/** The indexer as a library: localnet and tests start it in their own process. */
export { type IndexerConfig, loadConfig } from './config.ts'
export { type RunningIndexer, startIndexer } from './indexer.ts'
