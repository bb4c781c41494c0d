/** Claiming for payees that are off line when a payer closes. */
import {
  type ChannelRow,
  type Deployment,
  errorCode,
  type Hex,
  MainframeError,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import { fetchHeader } from '../chain/headers.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import {
  type Claimable,
  type ClaimedBatch,
  claimBatch,
  claimGas,
  findClaimable,
  MAX_CLAIM_ROWS,
  rowsFor,
} from '../payments/claim-batches.ts'
import { unclaimedOf } from '../payments/credit-ledger.ts'
import type { TowerStore, TowerVoucher } from './tower-store.ts'

export interface WatchOptions {
  rpc: Rpc
  deployment: Deployment
  directory: Directory
  /** Of the watchtower, which pays for the gas and gets nothing. */
  sender: TransactionSender
  store: TowerStore
  /**
   * Base units below which a channel is not worth our gas, by token. In other tokens nothing is claimed:
   * anybody can make some that are worth nothing.
   */
  minBases: ReadonlyMap<Hex, bigint>
  /** Gas for all claims of 24 hours together. */
  gasPerDay: bigint
  checkMs: number
  /** Told of every failure; it is tried again at a later look. */
  onTrouble?: (error: MainframeError) => void
  onClaimed?: (batch: ClaimedBatch) => void
}

const DAY_MS = 86_400_000
/** The longest pause after a failure: each try may cost gas. */
const MAX_PAUSE_MS = 10 * 60_000

/** Keeps nothing of its own but the gas that it spent: the chain says what is claimed. */
export class Watch {
  readonly #options: WatchOptions
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #failures = 0
  #pausedUntilMs = 0
  #isStopped = false

  constructor(options: WatchOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#beginLook(), this.#options.checkMs)
    this.#beginLook()
  }

  /** Resolves when no claim is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#looking
  }

  /** Gas that may still be used in this day. */
  get gasLeft(): bigint {
    const { store, gasPerDay } = this.#options
    const left = gasPerDay - store.gasSince(Date.now() - DAY_MS)
    return left > 0n ? left : 0n
  }

  /** For its operator; empty when there is nothing to mend. */
  get troubles(): string[] {
    return this.gasLeft < claimGas(1) ? [this.#outOfGas().message] : []
  }

  #beginLook(): void {
    if (this.#looking || this.#isStopped || Date.now() < this.#pausedUntilMs) return
    this.#looking = this.#look()
      .then(
        () => {
          this.#failures = 0
        },
        (cause: unknown) => this.#onFailure(cause),
      )
      .finally(() => {
        this.#looking = undefined
      })
  }

  #onFailure(cause: unknown): void {
    this.#failures += 1
    const pauseMs = this.#options.checkMs * 2 ** Math.min(this.#failures, 16)
    this.#pausedUntilMs = Date.now() + Math.min(pauseMs, MAX_PAUSE_MS)
    const message = cause instanceof Error ? cause.message : String(cause)
    const code = errorCode(cause) ?? 'INTERNAL'
    this.#options.onTrouble?.(new MainframeError(code, message, { cause }))
  }

  async #look(): Promise<void> {
    const closing = this.#closing()
    if (closing.length === 0) return
    const { rpc, deployment, sender } = this.#options
    const { time } = await fetchHeader(rpc, 'latest')
    const due = closing.filter(({ row }) => isDue(row, time))
    if (due.length === 0) return
    await sender.settle() // a claim of a run that was killed may be under way
    const candidates = due.map(({ voucher, row }) => ({ voucher, token: row.token }))
    const claimable = await findClaimable(rpc, deployment, candidates)
    await this.#claimFairly([...Map.groupBy(claimable, batchName).values()])
  }

  /**
   * One transaction in turn for the payee that has used the least gas of the day: a payee that closes
   * channels with itself, all day long, must not use up what the others need.
   */
  async #claimFairly(waiting: Claimable<TowerVoucher>[][]): Promise<void> {
    for (const claims of waiting) claims.sort(byWorth)
    while (waiting.length > 0 && !this.#isStopped) {
      const claims = this.#leastServed(waiting)
      await this.#claimSome(claims)
      if (claims.length === 0) waiting.splice(waiting.indexOf(claims), 1)
    }
  }

  #leastServed(waiting: readonly Claimable<TowerVoucher>[][]): Claimable<TowerVoucher>[] {
    const { store } = this.#options
    const sinceMs = Date.now() - DAY_MS
    const used = (claims: readonly Claimable<TowerVoucher>[]) =>
      store.gasSince(sinceMs, claims[0]?.voucher.payee)
    return waiting.reduce((least, claims) => (used(claims) < used(least) ? claims : least))
  }

  #closing(): { voucher: TowerVoucher; row: ChannelRow }[] {
    const { directory, store, minBases } = this.#options
    const closing = []
    for (const voucher of store.entries.values()) {
      const row = directory.channels.get(voucher.channelId)
      const minBase = row && minBases.get(row.token)
      if (row?.state !== 'closing' || minBase === undefined) continue
      if (unclaimedOf(row, store) < minBase) continue
      closing.push({ voucher, row })
    }
    return closing
  }

  /** Takes the dearest of them out, as many as one transaction and the gas of the day allow. */
  async #claimSome(claims: Claimable<TowerVoucher>[]): Promise<void> {
    const batch = claims.splice(0, Math.min(MAX_CLAIM_ROWS, rowsFor(this.gasLeft)))
    if (batch.length === 0) throw this.#outOfGas()
    await this.#claim(batch)
  }

  /** The gas is counted before it is spent: a crash in between must not buy another day's. */
  async #claim(batch: readonly Claimable<TowerVoucher>[]): Promise<void> {
    const { store, sender, deployment, onClaimed } = this.#options
    const payee = batch[0]?.voucher.payee
    if (!payee) return
    const nowMs = Date.now()
    const gas = claimGas(batch.length)
    const reservation = store.reserveGas(gas, { payee, atMs: nowMs, sinceMs: nowMs - DAY_MS })
    const claimed = await claimBatch(batch, { sender, deployment, payee }).catch((cause) => {
      if (wasNeverSent(cause)) store.correctGas(reservation, 0n)
      throw cause
    })
    store.correctGas(reservation, claimed.gasUsed)
    onClaimed?.(claimed)
  }

  #outOfGas(): MainframeError {
    const { gasPerDay } = this.#options
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      `The watchtower has used the ${gasPerDay} gas of its day; claims wait, raise towerGasPerDay`,
    )
  }
}

/** The payee's turn is first; when half of the notice has passed, it is ours. */
function isDue({ closesAt, noticeSeconds }: ChannelRow, nowSeconds: number): boolean {
  return nowSeconds >= closesAt - noticeSeconds / 2
}

/** The node refused it: what was mined and reverted has a hash. */
function wasNeverSent(cause: unknown): boolean {
  if (!(cause instanceof MainframeError) || errorCode(cause) !== 'CHAIN_REJECTED') return false
  return cause.details['transactionHash'] === undefined
}

function byWorth(a: Claimable<TowerVoucher>, b: Claimable<TowerVoucher>): number {
  const worth = ({ voucher, claimedBase }: Claimable) => voucher.amount - claimedBase
  return worth(a) < worth(b) ? 1 : -1
}

/** What goes into one transaction: of one payee, token and notice. */
function batchName({ token, voucher }: Claimable<TowerVoucher>): string {
  return `${voucher.payee} ${token} ${voucher.noticeSeconds}`
}
