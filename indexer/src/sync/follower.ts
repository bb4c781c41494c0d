import { setTimeout as sleep } from 'node:timers/promises'
import { type Deployment, errorCode, MainframeError } from '@mainframe/protocol'
import type { Logger } from 'pino'
import type { BlockHeader, ChainReader } from '../chain/chain-reader.ts'
import type { Database } from '../db/database.ts'
import { type Batch, type Cursor, type VerifiedBatch, verifyBatch } from './batch.ts'
import { RangePlan, readAhead } from './read-ahead.ts'
import { readBlock } from './read-batch.ts'
import { reconcile } from './reconcile.ts'
import { DERIVATION, rederive } from './rederive.ts'
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
  readonly #plan = new RangePlan()
  #running: Promise<void> = Promise.resolve()
  /** In a row, without a block taken in between. */
  #failures = 0
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
    while (!signal.aborted) {
      let waitMs = this.#options.pollIntervalMs
      try {
        await this.#catchUp()
        this.#failures = 0
        this.#status.problem = undefined
      } catch (error) {
        if (signal.aborted) return
        if (this.#isFatal(error)) return this.#failed.resolve(error as Error)
        this.#failures += 1
        waitMs = this.#noteFailure(error)
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
  #noteFailure(error: unknown): number {
    if (this.#status.problem === undefined)
      this.#parts.log.warn({ err: error }, 'following stalled')
    this.#status.problem = error
    const waitMs = this.#options.pollIntervalMs * 2 ** Math.min(this.#failures, 16)
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
    const settled = head.number - this.#options.finalityDepth
    if (cursor.number < settled) cursor = await this.#backFill(cursor, settled)
    while (cursor.number < head.number && !this.#parts.abort.signal.aborted) {
      const next = await this.#advance(cursor, settled)
      if (next === undefined) {
        await this.#reconcile({ head, state, cursor })
        return
      }
      cursor = next
    }
  }

  /** First contact: the chain is the one of the deployment, and the stored head is part of it. */
  async #begin(head: BlockHeader): Promise<ChainState> {
    const { db, chain, deployment } = this.#parts
    const stored = await db.read(readState)
    if (stored) {
      if (stored.derivation !== DERIVATION) await this.#rederive()
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

  async #rederive(): Promise<void> {
    const { db, deployment, log } = this.#parts
    log.info('the rules have changed: filling the tables from the stored logs')
    const events = await rederive(db, deployment)
    log.info({ events }, 'the tables are filled again')
  }

  /**
   * Final blocks in ranges: the next ones are read and checked while these are written. Ends early, at
   * what is written, when the chain does not continue it; the next step then finds out why.
   */
  async #backFill(from: Cursor, settled: number): Promise<Cursor> {
    const { chain, deployment, abort } = this.#parts
    const range = { fromBlock: from.number + 1, toBlock: settled }
    let writing: Promise<Cursor> = Promise.resolve(from)
    let read = from
    try {
      for await (const batch of readAhead({ chain, deployment, plan: this.#plan, ...range })) {
        if (abort.signal.aborted || batch.parentHash !== read.hash) break
        const verified = await this.#verifyRange(batch, read)
        const previous = await writing
        writing = this.#commit(previous, verified, settled)
        writing.catch(() => undefined) // awaited by the next turn, or below
        read = verified.cursor
      }
    } finally {
      await writing
    }
    return await writing
  }

  /** An answer that was cut without a word is found out here: the next one is to be shorter. */
  async #verifyRange(batch: Batch, from: Cursor): Promise<VerifiedBatch> {
    try {
      return await verifyBatch(batch, from, this.#parts.deployment)
    } catch (error) {
      this.#plan.tooLarge(batch.block.number - from.number)
      throw error
    }
  }

  /** One committed block; `undefined` when the chain no longer continues the cursor. */
  async #advance(cursor: Cursor, settled: number): Promise<Cursor | undefined> {
    const { chain, deployment } = this.#parts
    const batch = await readBlock(chain, cursor, deployment)
    if (batch?.parentHash !== cursor.hash) return undefined
    return this.#commit(cursor, await verifyBatch(batch, cursor, deployment), settled)
  }

  async #commit(previous: Cursor, batch: VerifiedBatch, settled: number): Promise<Cursor> {
    const { db, deployment, log } = this.#parts
    const { number } = batch.cursor
    const finalized = Math.max(0, Math.min(settled, number))
    await commitBatch(db, { previous, batch, finalized, deployment })
    log.debug({ block: number, events: batch.events.length }, 'blocks taken in')
    this.#status = { ...this.#status, block: number, problem: undefined }
    this.#failures = 0
    return batch.cursor
  }

  async #reconcile(sides: { head: BlockHeader; state: ChainState; cursor: Cursor }): Promise<void> {
    const { db, chain, log } = this.#parts
    const outcome = await reconcile({ db, chain, ...sides })
    if (outcome !== 'rolled-back') return
    log.info({ block: sides.cursor.number, head: sides.head.number }, 'the chain was reorganised')
  }
}
