/** Blocks and logs of the followed contracts, checked for their form and for belonging together. */

import { setTimeout } from 'node:timers/promises'
import {
  type Deployment,
  decodeLogHead,
  type Hex,
  type LogHead,
  MainframeError,
  type RawLog,
} from '@mainframe/protocol'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { bloomMayHold } from './bloom.ts'
import { faultOf, type RpcCall } from './rpc.ts'
import type { Rpc } from './rpc-pool.ts'

/** What the indexer needs of a block's header. `time` is Unix seconds. */
export interface BlockHeader {
  number: number
  hash: Hex
  parentHash: Hex
  time: number
  logsBloom: Hex
}

/** Reads one chain. Everything rejects with `CHAIN_UNREACHABLE` or, for nonsense, `CHAIN_MISMATCH`. */
export interface ChainReader {
  head(): Promise<BlockHeader>
  /** `undefined` when the RPC does not have the block (yet). */
  header(number: number): Promise<BlockHeader | undefined>
  /** Logs of exactly this block, whatever fork it is on. */
  logsOfBlock(header: BlockHeader): Promise<RawLog[]>
  /**
   * A range of blocks, both ends included, as one back-end has it; `undefined` when it does not have
   * the last one (yet).
   */
  range(fromBlock: number, toBlock: number): Promise<BlockRange | undefined>
  /** What the contracts say of their logs after a block; `undefined` where that state is gone. */
  logHeads(blockHash: Hex): Promise<LogHeads | undefined>
}

/** The logs of consecutive blocks, with the headers at both ends. */
export interface BlockRange {
  first: BlockHeader
  last: BlockHeader
  logs: RawLog[]
}

/** Where the two verifiable logs stand. */
export interface LogHeads {
  registry: LogHead
  board: LogHead
}

/** How often an empty answer that the block's bloom filter contradicts is asked for, in all. */
const EMPTY_ATTEMPTS = 3
const EMPTY_WAIT_MS = 100
/** Where providers cut an answer, some without saying so; an answer this long is not believed. */
const MAX_ANSWER_LOGS = 10_000

const Quantity = Type.Unsafe<Hex>(Type.String({ pattern: '^0x[0-9a-fA-F]{1,13}$' }))
const Word = Type.Unsafe<Hex>(Type.String({ pattern: '^0x[0-9a-fA-F]{64}$' }))
const Data = Type.Unsafe<Hex>(Type.String({ pattern: '^0x(?:[0-9a-fA-F]{2})*$' }))

const headerForm = Compile(
  Type.Object({
    number: Quantity,
    hash: Word,
    parentHash: Word,
    timestamp: Quantity,
    logsBloom: Type.Unsafe<Hex>(Type.String({ pattern: '^0x[0-9a-fA-F]{512}$' })),
  }),
)

const logsForm = Compile(
  Type.Array(
    Type.Object({
      address: Type.Unsafe<Hex>(Type.String({ pattern: '^0x[0-9a-fA-F]{40}$' })),
      topics: Type.Array(Word, { maxItems: 4 }),
      data: Data,
      blockNumber: Quantity,
      blockHash: Word,
      transactionHash: Word,
      logIndex: Quantity,
      removed: Type.Optional(Type.Boolean()),
    }),
  ),
)

export function createChainReader(rpc: Rpc, deployment: Deployment): ChainReader {
  const addresses = [deployment.registry, deployment.board, deployment.channels]
  const mayHold = ({ logsBloom }: BlockHeader) =>
    addresses.some((address) => bloomMayHold(logsBloom, address))
  return {
    async head() {
      const answer = await rpc.latest()
      if (answer === null) throw inconsistent('the chain has no latest block')
      return parseHeader(answer)
    },
    header: (number) => readHeader(rpc.call, number),
    async logsOfBlock(header) {
      // A back-end that has the block but not its logs yet answers an empty list; the header tells.
      const { hash } = header
      const expected = mayHold(header)
      for (let attempt = 1; ; attempt++) {
        const filter = { blockHash: hash, address: addresses }
        const found = await readLogs(rpc.call, filter, (log) => log.blockHash === hash)
        if (found.length > 0 || !expected || attempt === EMPTY_ATTEMPTS) return found
        await setTimeout(EMPTY_WAIT_MS * attempt)
      }
    },
    async logHeads(blockHash) {
      const slot = (address: Hex) => rpc.call('eth_getStorageAt', [address, '0x0', { blockHash }])
      try {
        const [registry, board] = await Promise.all([
          slot(deployment.registry),
          slot(deployment.board),
        ])
        return { registry: parseLogHead(registry), board: parseLogHead(board) }
      } catch (error) {
        // only archives keep the state of old blocks
        if (faultOf(error).refused) return undefined
        throw error
      }
    },
    async range(fromBlock, toBlock) {
      const call = await rpc.pin()
      const filter = {
        fromBlock: quantity(fromBlock),
        toBlock: quantity(toBlock),
        address: addresses,
      }
      const isInRange = ({ blockNumber }: RawLog) =>
        Number(blockNumber) >= fromBlock && Number(blockNumber) <= toBlock
      const [first, last, logs] = await Promise.all([
        readHeader(call, fromBlock),
        readHeader(call, toBlock),
        readLogs(call, filter, isInRange),
      ])
      if (!first || !last) return undefined
      if (logs.length >= MAX_ANSWER_LOGS && toBlock > fromBlock) throw cut()
      // what shows at the ends of an answer that was cut, or comes of a back-end without its logs
      for (const header of [first, last]) {
        if (!mayHold(header) || logs.some((log) => log.blockHash === header.hash)) continue
        const found = await this.logsOfBlock(header)
        if (found.length > 0) throw cut()
      }
      return { first, last, logs }
    },
  }
}

async function readHeader(call: RpcCall, number: number): Promise<BlockHeader | undefined> {
  const answer = await call('eth_getBlockByNumber', [quantity(number), false])
  if (answer === null) return undefined
  const header = parseHeader(answer)
  if (header.number === number) return header
  throw inconsistent(`asked for block ${number}, got block ${header.number}`)
}

async function readLogs(
  call: RpcCall,
  filter: object,
  belongs: (log: RawLog) => boolean,
): Promise<RawLog[]> {
  const answer = await call('eth_getLogs', [filter])
  const all = logsForm.Check(answer) ? (answer as RawLog[]) : undefined
  if (all?.every((log) => log.removed !== true && belongs(log))) return inOrder(all)
  throw inconsistent('eth_getLogs answers logs that were not asked for')
}

/** Asking for less heals it, as if it had been refused for its size. */
function cut(): MainframeError {
  return inconsistent('eth_getLogs leaves out logs', { refused: true })
}

/** What a back-end said cannot be of one chain; another answer may be better. */
export function inconsistent(what: string, details: Record<string, unknown> = {}): MainframeError {
  return new MainframeError('CHAIN_MISMATCH', `The chain RPC contradicts itself: ${what}`, {
    details,
    retryable: true,
  })
}

function quantity(value: number): Hex {
  return `0x${value.toString(16)}`
}

function parseHeader(answer: unknown): BlockHeader {
  if (!headerForm.Check(answer)) throw inconsistent('a block is not in the form of a block')
  const { number, hash, parentHash, timestamp, logsBloom } = answer
  return { number: Number(number), hash, parentHash, time: Number(timestamp), logsBloom }
}

/** Storage slot 0 of registry and board: head in the upper 24 bytes, seq in the lower 8. */
function parseLogHead(slot: unknown): LogHead {
  if (typeof slot !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(slot)) {
    throw inconsistent('a storage slot is not a word')
  }
  return decodeLogHead(slot as Hex)
}

/** In the order of the chain, each once: some back-ends repeat logs at the seams of their storage. */
function inOrder(logs: RawLog[]): RawLog[] {
  if (logs.every((log, i) => i === 0 || comparePlaces(logs[i - 1] as RawLog, log) < 0)) return logs
  const byPlace = new Map(logs.map((log) => [`${log.blockHash} ${Number(log.logIndex)}`, log]))
  return [...byPlace.values()].sort(comparePlaces)
}

function comparePlaces(a: RawLog, b: RawLog): number {
  return Number(a.blockNumber) - Number(b.blockNumber) || Number(a.logIndex) - Number(b.logIndex)
}
