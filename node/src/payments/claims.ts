/** Turning vouchers into money: batched claims into the relay's vault (PROTOCOL.md §4). */
import {
  type ChannelRow,
  type Deployment,
  errorCode,
  type Hex,
  MainframeError,
  type RawLog,
  toHex,
} from '@mainframe/protocol'
import { channelsContract } from '../chain/contracts.ts'
import type { Directory } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { type Claimable, readClaimable } from './claimable.ts'
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

/** Rows of one transaction: about 3 million gas, and 32 kB of calldata. */
export const MAX_CLAIM_ROWS = 200
/**
 * Claims a token when there is enough of it, when a voucher is old, and at once when a payer asked to
 * close; also a token that is no longer accepted. Keeps nothing of its own: what is claimed the chain says, so a crash loses and repeats nothing.
 */
export class Claims {
  readonly #options: ClaimsOptions
  /** When an unclaimed voucher of a channel was first seen, by channel id. */
  readonly #since = new Map<Hex, number>()
  /** Whether a claim that began by itself is under way. */
  #isClaiming = false
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
    if (this.#isClaiming) return // the next look comes soon
    this.#isClaiming = true
    this.#claimInTurn(tokens)
      .then(
        (result) => {
          if (result) this.#options.onClaimed?.(result)
        },
        (cause: unknown) => this.#options.onTrouble?.(asTrouble(cause)),
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
    const claimable = await this.#claimable(tokens)
    const batches = Map.groupBy(
      claimable,
      ({ token, voucher }) => `${token} ${voucher.noticeSeconds}`,
    )
    const txHashes: Hex[] = []
    const paid: Record<Hex, bigint> = {}
    let rows = 0
    for (const all of batches.values()) {
      for (let i = 0; i < all.length; i += MAX_CLAIM_ROWS) {
        const done = await this.#claim(all.slice(i, i + MAX_CLAIM_ROWS))
        txHashes.push(done.txHash)
        rows += done.rows
        paid[done.token] = (paid[done.token] ?? 0n) + done.paidBase
      }
    }
    const txHash = txHashes.at(-1)
    return txHash && { txHash, txHashes, rows, paid }
  }

  /**
   * What would pay, by the latest state of the chain: the confirmed view lags behind, and does not
   * know of our own last claim yet.
   */
  async #claimable(tokens?: ReadonlySet<Hex>): Promise<Claimable[]> {
    const { rpc, deployment, vouchers } = this.#options
    const candidates: Omit<Claimable, 'claimedBase'>[] = []
    for (const [channelId, { token }] of this.#unclaimed()) {
      const voucher = vouchers.entries.get(channelId)
      if (voucher && (tokens?.has(token) ?? true)) candidates.push({ voucher, token })
    }
    return await readClaimable(rpc, deployment, candidates)
  }

  /** Of one token and notice. */
  async #claim(
    batch: readonly Claimable[],
  ): Promise<{ token: Hex; txHash: Hex; rows: number; paidBase: bigint }> {
    const { sender, deployment } = this.#options
    const token = batch[0]?.token ?? deployment.token
    const notice = batch[0]?.voucher.noticeSeconds
    const rows = batch.map(({ voucher }) => ({
      payer: voucher.payer,
      signer: voucher.signer,
      amount: voucher.amount,
      r: toHex(voucher.signature.subarray(0, 32)),
      vs: toHex(voucher.signature.subarray(32)),
    }))
    const args = [sender.account, token, notice, rows]
    const data = channelsContract.encodeFunctionData('claim', args) as Hex
    const receipt = await sender.send({ to: deployment.channels, data, what: 'claim' })
    const before = new Map(batch.map((row) => [row.voucher.channelId, row.claimedBase]))
    const paid = receipt.logs.map((log) => this.#paidBy(log, before)).filter((base) => base > 0n)
    const paidBase = paid.reduce((sum, base) => sum + base, 0n)
    return { token, txHash: receipt.transactionHash, rows: paid.length, paidBase }
  }

  #paidBy({ topics, data }: RawLog, before: ReadonlyMap<Hex, bigint>): bigint {
    const event = channelsContract.parseLog({ topics, data })
    const claimedBefore = before.get(String(event?.args['id']).toLowerCase() as Hex)
    if (event?.name !== 'Claimed' || claimedBefore === undefined) return 0n
    return (event.args['claimed'] as bigint) - claimedBefore
  }
}

function asTrouble(cause: unknown): MainframeError {
  if (cause instanceof MainframeError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new MainframeError(errorCode(cause) ?? 'INTERNAL', message, { cause })
}
