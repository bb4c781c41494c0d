/** Claiming for payees that are off line when a payer closes. */
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
  /** Base units below which a channel is not worth our gas. */
  minBase: bigint
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
    const head = await rpc.request<{ timestamp: Hex }>('eth_getBlockByNumber', ['latest', false])
    const due = closing.filter(({ row }) => isDue(row, Number(head.timestamp)))
    if (due.length === 0) return
    await sender.settle() // a claim of a run that was killed may be under way
    const vouchers = due.map(({ voucher }) => voucher)
    const claimable = await findClaimable(rpc, deployment, vouchers)
    const batches = Map.groupBy(claimable, ({ voucher }) => batchName(voucher))
    for (const batch of batches.values()) await this.#claimAll(batch)
  }

  #closing(): { voucher: TowerVoucher; row: ChannelRow }[] {
    const { directory, store, minBase } = this.#options
    const closing = []
    for (const voucher of store.entries.values()) {
      const row = directory.channels.get(voucher.channelId)
      if (row?.state !== 'closing' || unclaimedOf(row, store) < minBase) continue
      closing.push({ voucher, row })
    }
    return closing
  }

  /** Of one payee and notice, the dearest first, as far as the gas of the day goes. */
  async #claimAll(claimable: readonly Claimable<TowerVoucher>[]): Promise<void> {
    const worth = ({ voucher, claimedBase }: Claimable) => voucher.amount - claimedBase
    const sorted = claimable.toSorted((a, b) => (worth(a) < worth(b) ? 1 : -1))
    while (sorted.length > 0 && !this.#isStopped) {
      const batch = sorted.splice(0, Math.min(MAX_CLAIM_ROWS, rowsFor(this.gasLeft)))
      if (batch.length === 0) throw this.#outOfGas()
      await this.#claim(batch)
    }
  }

  /** The gas is counted before it is spent: a crash in between must not buy another day's. */
  async #claim(batch: readonly Claimable<TowerVoucher>[]): Promise<void> {
    const { store, sender, deployment, onClaimed } = this.#options
    const payee = batch[0]?.voucher.payee
    if (!payee) return
    const nowMs = Date.now()
    const gas = claimGas(batch.length)
    const reservation = store.reserveGas(gas, { atMs: nowMs, sinceMs: nowMs - DAY_MS })
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

const batchName = ({ payee, noticeSeconds }: TowerVoucher) => `${payee} ${noticeSeconds}`
