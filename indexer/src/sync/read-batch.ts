import type { Deployment, Hex, RawLog } from '@mainframe/protocol'
import { bloomMayHold } from '../chain/bloom.ts'
import {
  type BlockHeader,
  type BlockRange,
  type ChainReader,
  inconsistent,
} from '../chain/chain-reader.ts'
import { REGISTERED } from '../chain/decode.ts'
import type { Batch } from './batch.ts'

/** Headers that are asked for at the same time. */
const HEADERS_AT_ONCE = 16

interface Parent {
  number: number
  hash: Hex
}

/**
 * One block while the chain may still change: header and logs are of one fork, by block hash;
 * `undefined` when the chain has not got so far.
 */
export async function readBlock(
  chain: ChainReader,
  parent: Parent,
  deployment: Deployment,
): Promise<Batch | undefined> {
  const header = await chain.header(parent.number + 1)
  if (header === undefined) return undefined
  const { number, hash, parentHash, logsBloom } = header
  const { registry, board } = deployment
  const moved = [registry, board].some((address) => bloomMayHold(logsBloom, address))
  const [logs, logHeads] = await Promise.all([
    chain.logsOfBlock(header),
    moved ? chain.logHeads(hash) : undefined,
  ])
  if (moved && logHeads === undefined) throw inconsistent(`block ${number} has no state`)
  return { parentHash, block: header, logs, seeds: new Map([[number, hash]]), logHeads }
}

/** Which blocks to read, and whose logs they hold. */
export interface Range {
  fromBlock: number
  toBlock: number
  deployment: Deployment
}

/** A range of final blocks; `undefined` when the chain has not got so far. */
export async function readRange(chain: ChainReader, range: Range): Promise<Batch | undefined> {
  const { fromBlock, toBlock, deployment } = range
  const found = await chain.range(fromBlock, toBlock)
  if (!found) return undefined
  const { first, last, logs } = found
  const [logHeads] = await Promise.all([chain.logHeads(last.hash), assertOneFork(chain, found)])
  const seeds = await readSeeds(chain, { ...found, deployment })
  return { parentHash: first.parentHash, block: last, logs, seeds, logHeads }
}

/**
 * One answer is of one fork, so its last log's block tells of which: that block continues all the
 * others, and the header is asked for by number, as the ends of the range are.
 */
async function assertOneFork(chain: ChainReader, { first, last, logs }: BlockRange): Promise<void> {
  const hashes = new Map([first, last].map(({ number, hash }) => [number, hash]))
  const newest = logs.at(-1)
  if (newest && !hashes.has(Number(newest.blockNumber))) {
    const header = await chain.header(Number(newest.blockNumber))
    if (header) hashes.set(header.number, header.hash)
  }
  for (const { blockNumber, blockHash } of logs) {
    const known = hashes.get(Number(blockNumber))
    if (known !== undefined && known !== blockHash) throw inconsistent('logs of another fork')
    hashes.set(Number(blockNumber), blockHash)
  }
}

/** Hashes of the blocks after registrations: from the logs where that block has one, else asked for. */
async function readSeeds(
  chain: ChainReader,
  { first, last, logs, deployment }: BlockRange & { deployment: Deployment },
): Promise<Map<number, Hex>> {
  const seeds = new Map([first, last].map(({ number, hash }) => [number, hash]))
  for (const { blockNumber, blockHash } of logs) seeds.set(Number(blockNumber), blockHash)
  const registrations = logs.filter((log) => isRegistration(log, deployment))
  const parents = new Map(registrations.map((log) => [Number(log.blockNumber), log.blockHash]))
  const missing = [...parents].filter(([number]) => number < last.number && !seeds.has(number + 1))
  for (let i = 0; i < missing.length; i += HEADERS_AT_ONCE) {
    const some = missing.slice(i, i + HEADERS_AT_ONCE)
    const headers = await Promise.all(some.map((parent) => readSeed(chain, parent)))
    for (const { number, hash } of headers) seeds.set(number, hash)
  }
  return seeds
}

async function readSeed(
  chain: ChainReader,
  [parent, parentHash]: [number, Hex],
): Promise<BlockHeader> {
  const seed = await chain.header(parent + 1)
  if (seed === undefined) throw inconsistent(`block ${parent + 1} is missing below the head`)
  if (seed.parentHash !== parentHash) throw inconsistent('logs of another fork')
  return seed
}

function isRegistration({ address, topics }: RawLog, deployment: Deployment): boolean {
  return topics[0]?.toLowerCase() === REGISTERED && address.toLowerCase() === deployment.registry
}
