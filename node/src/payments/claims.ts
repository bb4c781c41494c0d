/** Turning vouchers into money: batched claims into the relay's vault (PROTOCOL.md §4). */
import {
  type ChannelRow,
  type Deployment,
  errorCode,
  type Hex,
  MainframeError,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { claimBatch, findClaimable, MAX_CLAIM_ROWS } from './claim-batches.ts'
import { unclaimedOf } from './credit-ledger.ts'
import type { VoucherLog } from './voucher-log.ts'

export interface ClaimsOptions {
  rpc: Rpc
  deployment: Deployment
  directory: Directory
  /** Of the payee; the contract would take a claim from anybody. */
  sender: TransactionSender
  vouchers: VoucherLog
  /** Unclaimed value, base units, that is worth a transaction. */
  thresholdBase: bigint
  /** An unclaimed voucher does not get older than this; a restart counts anew. */
  maxAgeMs: number
  /** How often to look. */
  checkMs: number
  /** Told of every failure; it is tried again at the next look. */
  onTrouble?: (error: MainframeError) => void
  onClaimed?: (result: ClaimResult) => void
}

/** What one round of claims did. */
export interface ClaimResult {
  /** Of the last transaction. */
  txHash: Hex
  txHashes: readonly Hex[]
  /** Channels that paid. */
  rows: number
  paidBase: bigint
}

/** The longest pause after a failure: each try may cost gas. */
const MAX_PAUSE_MS = 10 * 60_000

/**
 * Claims when there is enough, when a voucher is old, and at once when a payer asked to close. Keeps
 * nothing of its own: what is claimed the chain says, so a crash loses and repeats nothing.
 */
export class Claims {
  readonly #options: ClaimsOptions
  /** When an unclaimed voucher of a channel was first seen, by channel id. */
  readonly #since = new Map<Hex, number>()
  /** Whether a claim that began by itself is under way. */
  #isClaiming = false
  /** Failures in a row, and until when they keep claims from beginning by themselves. */
  #failures = 0
  #pausedUntilMs = 0
  #timer: NodeJS.Timeout | undefined
  #unsubscribe: (() => void) | undefined
  #tail: Promise<unknown> = Promise.resolve()

  constructor(options: ClaimsOptions) {
    this.#options = options
  }

  start(): void {
    const { directory, checkMs } = this.#options
    this.#timer = setInterval(() => this.#check(), checkMs)
    this.#unsubscribe = directory.subscribe(() => this.#checkClosing())
    this.#checkClosing()
  }

  /** Resolves when no claim is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#unsubscribe?.()
    await this.#tail
  }

  /**
   * Claims everything there is now; `undefined` when there is nothing. Rounds run one after the
   * other. Errors as `TransactionSender.send`; what an earlier batch of the round claimed stays.
   */
  claimNow(): Promise<ClaimResult | undefined> {
    const round = this.#tail.then(() => this.#claimAll())
    this.#tail = round.catch(() => {})
    return round
  }

  #check(): void {
    const { thresholdBase, maxAgeMs } = this.#options
    let total = 0n
    let oldest = Number.POSITIVE_INFINITY
    for (const [channelId, unclaimed] of this.#unclaimed()) {
      total += unclaimed
      const since = this.#since.get(channelId) ?? Date.now()
      this.#since.set(channelId, since)
      oldest = Math.min(oldest, since)
    }
    this.#checkClosing()
    if (total === 0n) return
    if (total >= thresholdBase || Date.now() - oldest >= maxAgeMs) this.#claimAndTell()
  }

  /**
   * A payer that closes takes everything after the notice that was not claimed. So this goes on until
   * the confirmed view has the claim: a mined one may be dropped, a last voucher may come after it.
   */
  #checkClosing(): void {
    for (const row of this.#rows()) {
      if (row.state !== 'closing' || unclaimedOf(row, this.#options.vouchers) === 0n) continue
      this.#claimAndTell()
      return
    }
  }

  #claimAndTell(): void {
    if (this.#isClaiming || Date.now() < this.#pausedUntilMs) return // the next look comes soon
    this.#isClaiming = true
    this.claimNow()
      .then(
        (result) => {
          this.#failures = 0
          if (result) this.#options.onClaimed?.(result)
        },
        (cause: unknown) => {
          this.#failures += 1
          const pauseMs = this.#options.checkMs * 2 ** Math.min(this.#failures, 16)
          this.#pausedUntilMs = Date.now() + Math.min(pauseMs, MAX_PAUSE_MS)
          this.#options.onTrouble?.(asTrouble(cause))
        },
      )
      .finally(() => {
        this.#isClaiming = false
      })
  }

  /** Confirmed unclaimed value by channel, and an end of what is no longer unclaimed. */
  #unclaimed(): Map<Hex, bigint> {
    const unclaimed = new Map<Hex, bigint>()
    for (const row of this.#rows()) {
      const base = unclaimedOf(row, this.#options.vouchers)
      if (base > 0n) unclaimed.set(row.channelId, base)
      else this.#since.delete(row.channelId)
    }
    return unclaimed
  }

  *#rows(): Iterable<ChannelRow> {
    const { directory, sender, deployment } = this.#options
    const token = deployment.token.toLowerCase()
    for (const row of directory.channels.values()) {
      if (row.payee === sender.account && row.token === token) yield row
    }
  }

  async #claimAll(): Promise<ClaimResult | undefined> {
    const { rpc, deployment, sender, vouchers } = this.#options
    await sender.settle() // a claim of a run that was killed may be under way
    const ids = [...this.#unclaimed().keys()]
    const stored = ids.flatMap((channelId) => vouchers.entries.get(channelId) ?? [])
    const claimable = await findClaimable(rpc, deployment, stored)
    const txHashes: Hex[] = []
    let [rows, paidBase] = [0, 0n]
    for (const all of Map.groupBy(claimable, ({ voucher }) => voucher.noticeSeconds).values()) {
      for (let i = 0; i < all.length; i += MAX_CLAIM_ROWS) {
        const batch = all.slice(i, i + MAX_CLAIM_ROWS)
        const paid = await claimBatch(batch, { sender, deployment, payee: sender.account })
        txHashes.push(paid.txHash)
        rows += paid.rows
        paidBase += paid.paidBase
      }
    }
    const txHash = txHashes.at(-1)
    return txHash && { txHash, txHashes, rows, paidBase }
  }
}

function asTrouble(cause: unknown): MainframeError {
  if (cause instanceof MainframeError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new MainframeError(errorCode(cause) ?? 'INTERNAL', message, { cause })
}
