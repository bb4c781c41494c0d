/** Follows the contracts' logs, k blocks behind the head, into the directory. */
import { setTimeout } from 'node:timers/promises'
import {
  type ChainEvent,
  continuesLog,
  type Deployment,
  decodeLog,
  decodeLogHead,
  errorCode,
  GENESIS_HEAD,
  type Hex,
  type LogHead,
  MainframeError,
  type RawLog,
} from '@mainframe/protocol'
import { toQuantity } from 'ethers'
import { type Header, parseCount, parseHeader, parseLogs } from './answers.ts'
import type { ChainDirectory } from './directory.ts'
import type { Rpc } from './rpc.ts'

/** Blocks whose logs one request asks for; halved when a node finds that too many. */
const MAX_RANGE = 2_000
/** Even without new events the contracts' own heads are compared this often: an event may be withheld. */
const HEAD_CHECK_MS = 60_000
/** The longest wait after a failure. */
const MAX_BACK_OFF_MS = 10_000
/** Block headers that are fetched at the same time. */
const PARALLEL_HEADERS = 16

export interface FollowerOptions {
  rpc: Rpc
  deployment: Deployment
  directory: ChainDirectory
  /** Depth k: a block counts when this many are built on it. */
  confirmations: number
  pollMs: number
  /** Told of every failure that will be tried again. */
  onTrouble?: (error: MainframeError) => void
  /** Told once when following has ended for good: `CHAIN_MISMATCH`. */
  onFailed?: (error: MainframeError) => void
  now?: () => number
}

/** Seconds. */
export interface ChainAge {
  /** Since the chain's node last answered as it should. */
  silentSeconds: number
  /** Since it last had a new block. */
  headSeconds: number
  /** Since the time of the newest confirmed block; infinite before there is one. */
  viewSeconds: number
}

/** Keeps a {@link ChainDirectory} up to date from {@link start} to {@link stop}. */
export class ChainFollower {
  readonly #options: FollowerOptions
  readonly #stop = new AbortController()
  #loop: Promise<void> | undefined
  #registryHead: LogHead = GENESIS_HEAD
  #boardHead: LogHead = GENESIS_HEAD
  #last: { number: number; hash: Hex; timestampSeconds: number } | undefined
  #range = MAX_RANGE
  #headsCheckedAt = 0
  #isChecked = false
  readonly #now: () => number
  #answeredAt: number
  #head: { number: number; sinceMs: number }

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#answeredAt = this.#now()
    this.#head = { number: -1, sinceMs: this.#now() }
  }

  /** How old what is known of the chain is. */
  get age(): ChainAge {
    const seconds = (sinceMs: number) => Math.max(0, this.#now() - sinceMs) / 1000
    return {
      silentSeconds: seconds(this.#answeredAt),
      headSeconds: seconds(this.#head.sinceMs),
      viewSeconds: this.#last
        ? seconds(1000 * this.#last.timestampSeconds)
        : Number.POSITIVE_INFINITY,
    }
  }

  /**
   * Resolves when the directory has caught up with the chain as it was; then goes on by itself.
   * Waits as long as the chain does not answer. Rejects with `CHAIN_MISMATCH` for another chain
   * than the deployment's, and with `NETWORK_CLOSED` when stopped first.
   */
  start(): Promise<void> {
    const caughtUp = Promise.withResolvers<void>()
    this.#loop = this.#run(caughtUp.resolve).then(
      () =>
        caughtUp.reject(new MainframeError('NETWORK_CLOSED', 'The chain is not followed any more')),
      (error: MainframeError) => {
        caughtUp.reject(error)
        this.#options.onFailed?.(error)
      },
    )
    return caughtUp.promise
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  /** Returns when stopped, rejects when there is no going on. */
  async #run(onCaughtUp: () => void): Promise<void> {
    const { pollMs, onTrouble } = this.#options
    let waitMs = pollMs
    while (!this.#stop.signal.aborted) {
      try {
        const isCaughtUp = await this.#step()
        this.#answeredAt = this.#now()
        waitMs = pollMs
        if (!isCaughtUp) continue
        onCaughtUp()
      } catch (cause) {
        if (this.#stop.signal.aborted || errorCode(cause) === 'NETWORK_CLOSED') return
        const error = asTrouble(cause)
        if (!error.retryable) throw error
        onTrouble?.(error)
        waitMs = Math.min(2 * waitMs, MAX_BACK_OFF_MS)
      }
      await setTimeout(waitMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
  }

  /** Takes in the next range of blocks; true when there is no further one now. */
  async #step(): Promise<boolean> {
    const { rpc, deployment, directory, confirmations } = this.#options
    if (!this.#isChecked) await this.#checkDeployment()
    const head = parseCount(await rpc.request('eth_blockNumber'), 'its newest block')
    if (head !== this.#head.number) this.#head = { number: head, sinceMs: this.#now() }
    const confirmed = head - confirmations
    const from = (this.#last?.number ?? deployment.block - 1) + 1
    if (confirmed < from) return true
    const to = Math.min(confirmed, from + this.#range - 1)
    const header = await this.#header(to)
    await this.#assertSameChain(from, { to, header })
    const events = await this.#events(from, { to, header })
    if (!events) return false
    const heads = this.#continue(events)
    await this.#compareHeads(heads, { header, isMoved: heads.moved })
    const { hash, timestampSeconds } = header
    const nowSeconds = Math.max(timestampSeconds, Math.floor(this.#now() / 1000))
    this.#registryHead = heads.registry
    this.#boardHead = heads.board
    this.#last = { number: to, hash, timestampSeconds }
    directory.advance({ events, seeds: new Map(), toBlock: to, nowSeconds })
    await this.#addSeeds(to, nowSeconds)
    return to === confirmed
  }

  async #checkDeployment(): Promise<void> {
    const { rpc, deployment } = this.#options
    const chainId = parseCount(await rpc.request('eth_chainId'), 'its chain id')
    if (chainId !== deployment.chainId) {
      throw mismatch(`The chain is ${chainId}, the contracts are on chain ${deployment.chainId}`)
    }
    for (const address of [deployment.registry, deployment.board, deployment.channels]) {
      const code = await rpc.request<Hex>('eth_getCode', [address, 'latest'])
      if (code === '0x') throw mismatch(`The chain has no contract at ${address}`)
    }
    this.#isChecked = true
  }

  async #header(number: number): Promise<Header> {
    const { rpc } = this.#options
    const answer = await rpc.request('eth_getBlockByNumber', [toQuantity(number), false])
    const header = parseHeader(answer)
    if (header) return header
    throw mismatch(`The chain's node does not have block ${number} yet`, { retryable: true })
  }

  /** What was taken in must be part of what comes: else blocks were dropped that counted as final. */
  async #assertSameChain(
    from: number,
    { to, header }: { to: number; header: Header },
  ): Promise<void> {
    if (!this.#last) return
    const { number, hash } = this.#last
    const found = from === to ? header.parentHash : (await this.#header(number)).hash
    if (found === hash) return
    throw mismatch(
      `The chain dropped block ${number}, which was ${this.#options.confirmations} deep: check the ` +
        'chain, raise "confirmations" if this can happen there, and start the relay again',
      { details: { block: number, expected: hash, found } },
    )
  }

  /** The events of a range in chain order; `undefined` when it must be asked for in smaller parts. */
  async #events(
    from: number,
    { to, header }: { to: number; header: Header },
  ): Promise<ChainEvent[] | undefined> {
    const { rpc, deployment } = this.#options
    const { registry, board, channels } = deployment
    // by its hash, a node that does not have the block yet says so; by number it says there is nothing
    const range =
      from === to
        ? { blockHash: header.hash }
        : { fromBlock: toQuantity(from), toBlock: toQuantity(to) }
    let logs: RawLog[]
    try {
      const filter = { ...range, address: [registry, board, channels] }
      logs = parseLogs(await rpc.request('eth_getLogs', [filter]))
    } catch (cause) {
      if (errorCode(cause) !== 'CHAIN_REJECTED' || from === to) throw cause
      this.#range = Math.ceil((to - from + 1) / 2)
      return undefined
    }
    this.#range = Math.min(2 * this.#range, MAX_RANGE)
    const foreign = logs.find(({ blockNumber, blockHash }) => {
      const number = Number(blockNumber)
      return number < from || number > to || (number === to && blockHash !== header.hash)
    })
    if (foreign) throw mismatch('The chain changed while it was read', { retryable: true })
    const order = (a: ChainEvent, b: ChainEvent) =>
      a.blockNumber - b.blockNumber || a.logIndex - b.logIndex
    return logs
      .map((log) => decodeLog(log, deployment))
      .filter((event) => event !== undefined)
      .sort(order)
  }

  /** The heads after these events, each of which must be the very next of its contract. */
  #continue(events: readonly ChainEvent[]): { registry: LogHead; board: LogHead; moved: boolean } {
    const heads = { registry: this.#registryHead, board: this.#boardHead, moved: false }
    for (const event of events) {
      if ('channelId' in event) continue
      const log = event.type === 'PriceSet' ? 'board' : 'registry'
      if (!continuesLog(heads[log], event)) throw gap(log)
      heads[log] = { seq: event.seq, head: event.head }
      heads.moved = true
    }
    return heads
  }

  /** Compares with the contracts' own slots, so that events at the end cannot be withheld either. */
  async #compareHeads(
    heads: { registry: LogHead; board: LogHead },
    { header, isMoved }: { header: Header; isMoved: boolean },
  ): Promise<void> {
    if (!isMoved && this.#now() - this.#headsCheckedAt < HEAD_CHECK_MS) return
    const { deployment } = this.#options
    for (const log of ['registry', 'board'] as const) {
      const slot = await this.#slot(deployment[log], header.hash)
      if (slot && (slot.seq !== heads[log].seq || slot.head !== heads[log].head)) throw gap(log)
    }
    this.#headsCheckedAt = this.#now()
  }

  /** Storage slot 0: the head above the number. `undefined` where a node kept no state so old. */
  async #slot(address: Hex, blockHash: Hex): Promise<LogHead | undefined> {
    const { rpc } = this.#options
    try {
      const slot = await rpc.request<Hex>('eth_getStorageAt', [address, '0x0', { blockHash }])
      return decodeLogHead(slot)
    } catch (cause) {
      if (errorCode(cause) === 'CHAIN_REJECTED') return undefined
      throw cause
    }
  }

  /** Overlay addresses need the hash of the block after a registration (PROTOCOL.md §1.3). */
  async #addSeeds(toBlock: number, nowSeconds: number): Promise<void> {
    const { directory } = this.#options
    const missing = directory.missingSeeds().filter(({ block }) => block <= toBlock)
    while (missing.length > 0) {
      const part = missing.splice(0, PARALLEL_HEADERS)
      const headers = await Promise.all(part.map(({ block }) => this.#header(block)))
      const seeds = new Map(
        part.map(({ nodeId }, i) => [nodeId, headers[i]?.hash ?? '0x'] as const),
      )
      directory.advance({ events: [], seeds, toBlock, nowSeconds })
    }
  }
}

function gap(log: 'registry' | 'board'): MainframeError {
  const message = `The chain's node left out, added or reordered events of the ${log}; asking again`
  return mismatch(message, { retryable: true })
}

function mismatch(
  message: string,
  options: { retryable?: boolean; details?: Record<string, unknown> } = {},
): MainframeError {
  return new MainframeError('CHAIN_MISMATCH', message, options)
}

/** A refusal is tried again as well: nodes refuse when they are short of something. */
function asTrouble(cause: unknown): MainframeError {
  if (errorCode(cause) === 'CHAIN_MISMATCH') return cause as MainframeError
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = errorCode(cause) ?? 'CHAIN_UNREACHABLE'
  return new MainframeError(code, message, { cause, retryable: true })
}
