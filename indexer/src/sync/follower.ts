import { setTimeout as sleep } from 'node:timers/promises'
import { type Deployment, errorCode, MainframeError } from '@mainframe/protocol'
import type { Logger } from 'pino'
import type { BlockHeader, ChainReader } from '../chain/chain-reader.ts'
import type { Database } from '../db/database.ts'
import { type Cursor, verifyBatch } from './batch.ts'
import { type ReadOutcome, readBlock, readRange } from './read-batch.ts'
import { reconcile } from './reconcile.ts'
import type { SyncStatus } from './status.ts'
import { type ChainState, commitBatch, initialiseState, readCursor, readState } from './store.ts'

export interface FollowerOptions {
  /** Blocks below the head that count as final. */
  finalityDepth: number
  /** Between looks at the chain's head when there is nothing to do. */
  pollIntervalMs: number
}

export interface FollowerParts {
  db: Database
  chain: ChainReader
  deployment: Deployment
  log: Logger
  /** Ends following; the chain reader listens to the same one, so that no request outlives it. */
  abort: AbortController
}

/** Blocks of a back-fill request: where it starts, and what no public RPC goes beyond. */
const FIRST_RANGE_BLOCKS = 1_000
const MAX_RANGE_BLOCKS = 10_000
/** Ranges shrink to about this many logs, which is about a second of work and a megabyte. */
const RANGE_LOGS = 1_000
/** The longest wait after failures in a row. */
const MAX_BACK_OFF_MS = 30_000

/** Errors that another attempt does not mend; every other one is retried for as long as it takes. */
const FATAL = new Set(['INDEXER_FORKED', 'CONFIG_INVALID', 'STORE_LOCKED', 'STORE_CORRUPT'])

/**
 * Takes the chain into the database: in ranges up to the final block, then block by block, with one
 * cursor for both. It is the only writer.
 */
export class Follower {
  readonly #options: FollowerOptions
  readonly #parts: FollowerParts
  readonly #failed: PromiseWithResolvers<Error> = Promise.withResolvers()
  #running: Promise<void> = Promise.resolve()
  #rangeBlocks = FIRST_RANGE_BLOCKS
  #state: ChainState | undefined
  #status: SyncStatus

  constructor(options: FollowerOptions, parts: FollowerParts) {
    this.#options = options
    this.#parts = parts
    const { finalityDepth } = options
    this.#status = { block: null, head: null, problem: undefined, finalityDepth }
  }

  /** Resolves with the error when following cannot go on; otherwise never. */
  get failed(): Promise<Error> {
    return this.#failed.promise
  }

  get status(): SyncStatus {
    return this.#status
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#parts.abort.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#parts.abort
    let failures = 0
    while (!signal.aborted) {
      let waitMs = this.#options.pollIntervalMs
      try {
        await this.#catchUp()
        failures = 0
        this.#status.problem = undefined
      } catch (error) {
        if (signal.aborted) return
        if (this.#isFatal(error)) return this.#failed.resolve(error as Error)
        failures += 1
        waitMs = this.#noteFailure(error, failures)
      }
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }

  #isFatal(error: unknown): boolean {
    const code = errorCode(error)
    // what is neither ours nor marked as passing is a bug: repeating it would hide it
    return code === undefined || code === 'INTERNAL' || FATAL.has(code)
  }

  /** Doubles from the poll interval, with jitter so that indexers behind one RPC spread. */
  #noteFailure(error: unknown, failures: number): number {
    if (this.#status.problem === undefined)
      this.#parts.log.warn({ err: error }, 'following stalled')
    this.#status.problem = error
    const waitMs = this.#options.pollIntervalMs * 2 ** Math.min(failures, 16)
    return Math.min(MAX_BACK_OFF_MS, waitMs) * (0.5 + Math.random() / 2)
  }

  /** Everything up to the chain's present head. */
  async #catchUp(): Promise<void> {
    const { db, chain } = this.#parts
    const head = await chain.head()
    this.#state ??= await this.#begin(head)
    const state = this.#state
    let cursor = await db.read(readCursor)
    this.#status = { ...this.#status, block: cursor.number, head: head.number }
    if (
      cursor.number > head.number ||
      (cursor.number === head.number && cursor.hash !== head.hash)
    ) {
      await this.#reconcile({ head, state, cursor })
      return
    }
    while (cursor.number < head.number && !this.#parts.abort.signal.aborted) {
      const next = await this.#advance(cursor, head)
      if (next === undefined) {
        await this.#reconcile({ head, state, cursor })
        return
      }
      cursor = next
      this.#status = { ...this.#status, block: cursor.number, problem: undefined }
    }
  }

  /** First contact: the chain is the one of the deployment, and the stored head is part of it. */
  async #begin(head: BlockHeader): Promise<ChainState> {
    const { db, chain, deployment } = this.#parts
    const chainId = await chain.chainId()
    if (chainId !== deployment.chainId) {
      const message = `The deployment is on chain ${deployment.chainId}, the RPC serves chain ${chainId}`
      throw new MainframeError('CONFIG_INVALID', message)
    }
    const stored = await db.read(readState)
    if (stored) {
      await this.#reconcile({ head, state: stored, cursor: await db.read(readCursor) })
      return stored
    }
    const anchor = await chain.header(Math.max(0, deployment.block - 1))
    if (anchor === undefined) {
      const message = `The chain has no block ${deployment.block} yet, where the deployment begins`
      throw new MainframeError('CHAIN_MISMATCH', message, { retryable: true })
    }
    await initialiseState(db, deployment, anchor)
    return this.#begin(head)
  }

  /** One committed step; `undefined` when the chain no longer continues the cursor. */
  async #advance(cursor: Cursor, head: BlockHeader): Promise<Cursor | undefined> {
    const { db, chain, deployment } = this.#parts
    const settled = head.number - this.#options.finalityDepth
    const outcome =
      cursor.number < settled
        ? await this.#readRange(cursor, settled)
        : await readBlock(chain, cursor, deployment)
    if (outcome === 'reorganised' || outcome === 'unavailable') return undefined
    const batch = await verifyBatch(outcome, cursor, deployment)
    const finalized = Math.max(0, Math.min(settled, batch.cursor.number))
    await commitBatch(db, { previous: cursor, batch, finalized, deployment })
    const { number } = batch.cursor
    this.#parts.log.debug({ block: number, events: batch.events.length }, 'blocks taken in')
    return batch.cursor
  }

  /** Reads as much as the RPC gives at once: less after a failure, more after a success. */
  async #readRange(parent: Cursor, settled: number): Promise<ReadOutcome> {
    const { chain, deployment } = this.#parts
    const toBlock = Math.min(settled, parent.number + this.#rangeBlocks)
    try {
      const outcome = await readRange(chain, { parent, toBlock, deployment })
      const logs = typeof outcome === 'string' ? 0 : outcome.logs.length
      if (logs > RANGE_LOGS) this.#rangeBlocks = Math.max(1, Math.floor(this.#rangeBlocks / 2))
      else this.#rangeBlocks = Math.min(MAX_RANGE_BLOCKS, this.#rangeBlocks * 2)
      return outcome
    } catch (error) {
      this.#rangeBlocks = Math.max(1, Math.floor((toBlock - parent.number) / 2))
      throw error
    }
  }

  async #reconcile(sides: { head: BlockHeader; state: ChainState; cursor: Cursor }): Promise<void> {
    const { db, chain, log } = this.#parts
    const outcome = await reconcile({ db, chain, ...sides })
    if (outcome !== 'rolled-back') return
    log.info({ block: sides.cursor.number, head: sides.head.number }, 'the chain was reorganised')
  }
}
