/** The local network as a library, for end-to-end tests and benches. */
export { fundAccounts, type Grant } from './accounts.ts'
export { bringUp } from './bring-up.ts'
export { type Chain, localProvider, startChain } from './chain.ts'
export { claimAll } from './claims.ts'
export { type Indexer, startIndexer } from './indexer.ts'
export { observeHeldPackets, traceMessages } from './observer.ts'
export { createPeople, openClient, type Person } from './people.ts'
export {
  claimEarnings,
  fetchStatus,
  type Launch,
  type RelayProcess,
  type RelayStatusJson,
  restartRelay,
  startRelays,
} from './relays.ts'
export { readConservation } from './settlement.ts'
export { Shutdown } from './shutdown.ts'
