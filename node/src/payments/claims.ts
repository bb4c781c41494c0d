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
import { type Candidate, claimBatch, findClaimable, MAX_CLAIM_ROWS } from './claim-batches.ts'
import { unclaimedOf } from './credit-ledger.ts'
import type { VoucherLog } from './voucher-log.ts'

export interface ClaimsOptions {
  rpc: Rpc
  deployment: Deployment
  directory: Directory
  /** Of the payee; the contract would take a claim from anybody. */
  sender: TransactionSender
  vouchers: VoucherLog
  /** Unclaimed value of a token, base units, that is worth a transaction. */
  thresholdOf(token: Hex): bigint
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
  /** Base units, by token. */
  paid: Readonly<Record<Hex, bigint>>
}

/** A channel that owes us something. */
interface Unclaimed {
  token: Hex
  base: bigint
}

/** The longest pause after a failure: each try may cost gas. */
const MAX_PAUSE_MS = 10 * 60_000

/**
 * Claims a token when there is enough of it, when a voucher is old, and at once when a payer asked to
 * close; also a token that is no longer accepted. Keeps nothing of its own: what is claimed the chain
 * says, so a crash loses and repeats nothing.
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
    return this.#claimInTurn()
  }

  /** Of these tokens, or of all. */
  #claimInTurn(tokens?: ReadonlySet<Hex>): Promise<ClaimResult | undefined> {
    const round = this.#tail.then(() => this.#claimAll(tokens))
    this.#tail = round.catch(() => {})
    return round
  }

  #check(): void {
    const { thresholdOf, maxAgeMs } = this.#options
    const totals = new Map<Hex, bigint>()
    const due = new Set<Hex>()
    for (const [channelId, { token, base }] of this.#unclaimed()) {
      const total = (totals.get(token) ?? 0n) + base
      totals.set(token, total)
      const since = this.#since.get(channelId) ?? Date.now()
      this.#since.set(channelId, since)
      if (total >= thresholdOf(token) || Date.now() - since >= maxAgeMs) due.add(token)
    }
    this.#checkClosing()
    if (due.size > 0) this.#claimAndTell(due)
  }

  /**
   * A payer that closes takes everything after the notice that was not claimed. So this goes on until
   * the confirmed view has the claim: a mined one may be dropped, a last voucher may come after it.
   */
  #checkClosing(): void {
    const due = new Set<Hex>()
    for (const row of this.#rows()) {
      const isDue = row.state === 'closing' && unclaimedOf(row, this.#options.vouchers) > 0n
      if (isDue) due.add(row.token)
    }
    if (due.size > 0) this.#claimAndTell(due)
  }

  #claimAndTell(tokens: ReadonlySet<Hex>): void {
    if (this.#isClaiming || Date.now() < this.#pausedUntilMs) return // the next look comes soon
    this.#isClaiming = true
    this.#claimInTurn(tokens)
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
  #unclaimed(): Map<Hex, Unclaimed> {
    const unclaimed = new Map<Hex, Unclaimed>()
    for (const row of this.#rows()) {
      const base = unclaimedOf(row, this.#options.vouchers)
      if (base > 0n) unclaimed.set(row.channelId, { token: row.token, base })
      else this.#since.delete(row.channelId)
    }
    return unclaimed
  }

  *#rows(): Iterable<ChannelRow> {
    const { directory, sender } = this.#options
    for (const row of directory.channels.values()) {
      if (row.payee === sender.account) yield row
    }
  }

  async #claimAll(tokens?: ReadonlySet<Hex>): Promise<ClaimResult | undefined> {
    const { rpc, deployment, sender } = this.#options
    await sender.settle() // a claim of a run that was killed may be under way
    const claimable = await findClaimable(rpc, deployment, this.#candidates(tokens))
    const txHashes: Hex[] = []
    const paid: Record<Hex, bigint> = {}
    let rows = 0
    for (const all of Map.groupBy(claimable, batchName).values()) {
      for (let i = 0; i < all.length; i += MAX_CLAIM_ROWS) {
        const batch = all.slice(i, i + MAX_CLAIM_ROWS)
        const done = await claimBatch(batch, { sender, deployment, payee: sender.account })
        txHashes.push(done.txHash)
        rows += done.rows
        paid[done.token] = (paid[done.token] ?? 0n) + done.paidBase
      }
    }
    const txHash = txHashes.at(-1)
    return txHash && { txHash, txHashes, rows, paid }
  }

  /** Vouchers that would pay by the confirmed view: of these tokens, or of all. */
  #candidates(tokens?: ReadonlySet<Hex>): Candidate[] {
    const { vouchers } = this.#options
    return [...this.#unclaimed()].flatMap(([channelId, { token }]) => {
      const voucher = vouchers.entries.get(channelId)
      return voucher && (tokens?.has(token) ?? true) ? [{ voucher, token }] : []
    })
  }
}

/** What goes into one transaction: of one token and notice. */
function batchName({ token, voucher }: Candidate): string {
  return `${token} ${voucher.noticeSeconds}`
}

function asTrouble(cause: unknown): MainframeError {
  if (cause instanceof MainframeError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new MainframeError(errorCode(cause) ?? 'INTERNAL', message, { cause })
}
