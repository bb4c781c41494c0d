/** The bodies of an indexer that come in lines: the verifiable log, and live events. */
import type { Hex } from '../bytes.ts'
import type { ApiMeta } from './api.ts'
import type { ChainEvent, Deployment, RawLog } from './events.ts'

/** Which contract's log: each of these two proves its own. */
export type ApiLogContract = 'registry' | 'board'

/** The first line of GET /v1/log; its `registry` or `board` tells where the whole log ends. */
export interface ApiLogHeader {
  meta: ApiMeta
}

/** Every other line: a log as the chain carries it, in the order of `seq`, without a gap. */
export interface ApiLogLine {
  /** Place in the contract's log, from 1. */
  seq: number
  /** The continuity head after this event; it stands in `data` too. */
  head: Hex
  blockNumber: number
  blockHash: Hex
  transactionHash: Hex
  logIndex: number
  topics: Hex[]
  data: Hex
  /** Of a registration: the hash of the block after it, null until that is known. Null otherwise. */
  seedBlockHash: Hex | null
}

/** The log of a line as an RPC would give it, for `decodeLog`. */
export function logOfLine(
  line: ApiLogLine,
  contract: ApiLogContract,
  deployment: Deployment,
): RawLog {
  const { topics, data, blockHash, transactionHash } = line
  const blockNumber: Hex = `0x${line.blockNumber.toString(16)}`
  const logIndex: Hex = `0x${line.logIndex.toString(16)}`
  const address = deployment[contract]
  return { address, topics, data, blockHash, transactionHash, blockNumber, logIndex }
}

/** Blocks that were taken in; the events of those that are final already are not told one by one. */
export interface ApiBlocks {
  fromBlock: number
  toBlock: number
  /** Unix seconds of the last block. */
  time: number
  /** Events in these blocks. */
  events: number
  finalized: number
}

/** An event of the contracts as JSON: amounts and `seq` are decimal strings. */
export type ApiChainEvent = { type: ChainEvent['type']; logIndex: number } & Record<string, unknown>

/** The data of `blocks`, `event` and `retraction` in GET /v1/events; the SSE id is the place to resume from. */
export interface ApiEvent {
  blockNumber: number
  blockHash: Hex
  /** Of a retraction, whose body repeats what no longer holds: the id that it takes back. */
  retracts: number | null
  body: ApiBlocks | ApiChainEvent
}
