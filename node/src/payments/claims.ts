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
import { channelsContract, fetchSlots } from '../chain/contracts.ts'
import type { Directory } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { unclaimedOf } from './credit-ledger.ts'
import type { StoredVoucher, VoucherLog } from './voucher-log.ts'

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

interface Claimable {
  voucher: StoredVoucher
  claimedBase: bigint
}

/** Rows of one transaction: about 3 million gas, and 32 kB of calldata. */
export const MAX_CLAIM_ROWS = 200
/** Channels whose state one call reads. */
const MAX_SLOTS = 500

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
    if (this.#isClaiming) return // the next look comes soon
    this.#isClaiming = true
    this.claimNow()
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
    const claimable = await this.#claimable()
    const batches = Map.groupBy(claimable, ({ voucher }) => voucher.noticeSeconds)
    const txHashes: Hex[] = []
    let [rows, paidBase] = [0, 0n]
    for (const [notice, all] of batches) {
      for (let i = 0; i < all.length; i += MAX_CLAIM_ROWS) {
        const paid = await this.#claim(notice, all.slice(i, i + MAX_CLAIM_ROWS))
        txHashes.push(paid.txHash)
        rows += paid.rows
        paidBase += paid.paidBase
      }
    }
    const txHash = txHashes.at(-1)
    return txHash && { txHash, txHashes, rows, paidBase }
  }

  /**
   * What would pay, by the latest state of the chain: the confirmed view lags behind, and does not
   * know of our own last claim yet.
   */
  async #claimable(): Promise<Claimable[]> {
    const { rpc, deployment, vouchers } = this.#options
    const candidates: StoredVoucher[] = []
    for (const channelId of this.#unclaimed().keys()) {
      const voucher = vouchers.entries.get(channelId)
      if (voucher) candidates.push(voucher)
    }
    const claimable: Claimable[] = []
    for (let i = 0; i < candidates.length; i += MAX_SLOTS) {
      const part = candidates.slice(i, i + MAX_SLOTS)
      const ids = part.map(({ channelId }) => channelId)
      const slots = await fetchSlots(rpc, deployment.channels, ids)
      slots.forEach(({ deposit, claimed, epoch }, j) => {
        const voucher = part[j]
        if (!voucher) return
        const due = voucher.amount < deposit ? voucher.amount : deposit
        const isOpen = deposit > 0n && Number(epoch) === voucher.epoch
        if (isOpen && due > claimed) claimable.push({ voucher, claimedBase: claimed })
      })
    }
    return claimable
  }

  async #claim(
    notice: number,
    batch: readonly Claimable[],
  ): Promise<{ txHash: Hex; rows: number; paidBase: bigint }> {
    const { sender, deployment } = this.#options
    const rows = batch.map(({ voucher }) => ({
      payer: voucher.payer,
      signer: voucher.signer,
      amount: voucher.amount,
      r: toHex(voucher.signature.subarray(0, 32)),
      vs: toHex(voucher.signature.subarray(32)),
    }))
    const args = [sender.account, deployment.token, notice, rows]
    const data = channelsContract.encodeFunctionData('claim', args) as Hex
    const receipt = await sender.send({ to: deployment.channels, data, what: 'claim' })
    const before = new Map(batch.map((row) => [row.voucher.channelId, row.claimedBase]))
    const paid = receipt.logs.map((log) => this.#paidBy(log, before)).filter((base) => base > 0n)
    const paidBase = paid.reduce((sum, base) => sum + base, 0n)
    return { txHash: receipt.transactionHash, rows: paid.length, paidBase }
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
