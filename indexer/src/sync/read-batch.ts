import type { Deployment, Hex } from '@mainframe/protocol'
import { bloomMayHold } from '../chain/bloom.ts'
import { type BlockHeader, type ChainReader, inconsistent } from '../chain/chain-reader.ts'
import { decodeLog } from '../chain/decode.ts'
import type { Batch } from './batch.ts'

/** A batch, or why there is none: the chain continues another block, or has not got so far. */
export type ReadOutcome = Batch | 'reorganised' | 'unavailable'

interface Parent {
  number: number
  hash: Hex
}

/** One block while the chain may still change: header and logs are of one fork, by block hash. */
export async function readBlock(
  chain: ChainReader,
  parent: Parent,
  deployment: Deployment,
): Promise<ReadOutcome> {
  const header = await chain.header(parent.number + 1)
  if (header === undefined) return 'unavailable'
  if (header.parentHash !== parent.hash) return 'reorganised'
  const { number, hash, logsBloom } = header
  const logs = await chain.logsOfBlock(header)
  const { registry, board } = deployment
  const moved = [registry, board].some((address) => bloomMayHold(logsBloom, address))
  const logHeads = moved ? await chain.logHeads(hash) : undefined
  if (moved && logHeads === undefined) throw inconsistent(`block ${number} has no state`)
  return { block: header, logs, seeds: new Map([[number, hash]]), logHeads }
}

/** Which blocks to read, and whose logs they hold. */
export interface Range {
  parent: Parent
  toBlock: number
  deployment: Deployment
}

/** A range of final blocks. */
export async function readRange(chain: ChainReader, range: Range): Promise<ReadOutcome> {
  const { parent, toBlock, deployment } = range
  const [first, last, logs] = await Promise.all([
    chain.header(parent.number + 1),
    chain.header(toBlock),
    chain.logsOfRange(parent.number + 1, toBlock),
  ])
  if (first === undefined || last === undefined) return 'unavailable'
  if (first.parentHash !== parent.hash) return 'reorganised'
  const headers = new Map([first, last].map((header) => [header.number, header]))
  for (const log of logs) {
    // decoding takes longer than everything else: only what may be a registration
    if (log.address.toLowerCase() !== deployment.registry) continue
    const event = decodeLog(log, deployment)
    // a registration's overlay address is drawn from the hash of the block after it
    if (event?.type !== 'Registered' || event.blockNumber >= toBlock) continue
    await readSeed(chain, headers, event)
  }
  for (const log of logs) {
    const header = headers.get(Number(log.blockNumber))
    if (header && header.hash !== log.blockHash) throw inconsistent('logs of another fork')
  }
  const seeds = new Map([...headers.values()].map(({ number, hash }) => [number, hash]))
  return { block: last, logs, seeds, logHeads: await chain.logHeads(last.hash) }
}

async function readSeed(
  chain: ChainReader,
  headers: Map<number, BlockHeader>,
  event: { blockNumber: number; blockHash: Hex },
): Promise<void> {
  const number = event.blockNumber + 1
  const seed = headers.get(number) ?? (await chain.header(number))
  if (seed === undefined) throw inconsistent(`block ${number} is missing below the head`)
  if (seed.parentHash !== event.blockHash) throw inconsistent('logs of another fork')
  headers.set(number, seed)
}
