/** Back-fill reads: several ranges in flight, handed on in order, as large as the RPC lets them be. */
import type { Deployment } from '@mainframe/protocol'
import type { ChainReader } from '../chain/chain-reader.ts'
import { faultOf } from '../chain/rpc.ts'
import type { Batch } from './batch.ts'
import { readRange } from './read-batch.ts'

/** Blocks of a range: where it starts, and what no public RPC goes beyond. */
const FIRST_RANGE_BLOCKS = 16
const MAX_RANGE_BLOCKS = 10_000
/** Ranges aim at this many logs: two megabytes or so, and a fraction of a second of work. */
const RANGE_LOGS = 2_000
/** Ranges that are asked for at the same time. */
const MAX_LANES = 2

/** How much is asked for, learnt from the answers; lives as long as the indexer. */
export class RangePlan {
  #blocks = FIRST_RANGE_BLOCKS
  #lanes = MAX_LANES

  /** Blocks of the next range. */
  get blocks(): number {
    return this.#blocks
  }

  /** Ranges in flight. */
  get lanes(): number {
    return this.#lanes
  }

  /** A range of `blocks` came with `logs`: the next may be twice as large, or must be smaller. */
  answered(blocks: number, logs: number): void {
    const fitting = logs === 0 ? MAX_RANGE_BLOCKS : Math.floor((blocks * RANGE_LOGS) / logs)
    const next = Math.min(fitting, this.#blocks * 2, MAX_RANGE_BLOCKS)
    // a short last range says nothing about long ones
    if (blocks >= this.#blocks || next < this.#blocks) this.#blocks = Math.max(1, next)
    this.#lanes = Math.min(MAX_LANES, this.#lanes + 1)
  }

  /** A range was refused or timed out. */
  tooLarge(blocks: number): void {
    this.#blocks = Math.max(1, Math.min(this.#blocks, Math.floor(blocks / 2)))
  }

  /** The RPC was asked too often. */
  tooFast(): void {
    this.#lanes = 1
  }
}

interface Lane {
  fromBlock: number
  toBlock: number
  batch: Promise<Batch | undefined>
}

/** What is read. */
export interface Ahead {
  chain: ChainReader
  deployment: Deployment
  plan: RangePlan
  /** Both included. */
  fromBlock: number
  toBlock: number
}

/**
 * The blocks in ranges, in order. Ends early when the chain has not got so far. A range that is
 * refused is asked for again in halves; a single block's failure is thrown, and so is everything else.
 */
export async function* readAhead(ahead: Ahead): AsyncGenerator<Batch, void> {
  const { plan, toBlock } = ahead
  const lanes: Lane[] = []
  let next = ahead.fromBlock
  for (;;) {
    while (next <= toBlock && lanes.length < plan.lanes) {
      const end = Math.min(toBlock, next + plan.blocks - 1)
      lanes.push(startLane(ahead, next, end))
      next = end + 1
    }
    const lane = lanes.shift()
    if (!lane) return
    const outcome = await settle(lane, plan)
    if (outcome === 'split') {
      const middle = Math.floor((lane.fromBlock + lane.toBlock) / 2)
      lanes.unshift(
        startLane(ahead, lane.fromBlock, middle),
        startLane(ahead, middle + 1, lane.toBlock),
      )
    } else if (outcome) yield outcome
    else return
  }
}

function startLane({ chain, deployment }: Ahead, fromBlock: number, toBlock: number): Lane {
  const batch = readRange(chain, { fromBlock, toBlock, deployment })
  // whoever waits for it hears of a failure; nobody may be left when an earlier range failed
  batch.catch(() => undefined)
  return { fromBlock, toBlock, batch }
}

async function settle(lane: Lane, plan: RangePlan): Promise<Batch | 'split' | undefined> {
  const blocks = lane.toBlock - lane.fromBlock + 1
  try {
    const batch = await lane.batch
    if (batch) plan.answered(blocks, batch.logs.length)
    return batch
  } catch (error) {
    const { refused, rateLimitedMs } = faultOf(error)
    if (rateLimitedMs !== undefined) plan.tooFast()
    else plan.tooLarge(blocks)
    if (refused && blocks > 1) return 'split'
    throw error
  }
}
