/** Money into outgoing channels: few transactions for many channels (docs/contracts.md). */
import { errorCode, formatMft, type Hex, MainframeError } from '@mainframe/protocol'
import { fetchSlots } from '../chain/contracts.ts'
import type { Directory } from '../chain/directory.ts'
import { Deposits, type DepositsOptions, type FundingRow, type Funds } from './deposits.ts'
import { outgoingChannels } from './outgoing.ts'

export interface FundingOptions extends DepositsOptions {
  directory: Pick<Directory, 'channels'>
  /** The most that all our channels in a token together hold, base units. */
  maxDepositedOf(token: Hex): bigint
  /** How long to wait for others that want the same. */
  gatherMs: number
}

/** What there is of a token to pay from, base units. */
interface Means extends Funds {
  /** What the channels may still take up. */
  roomBase: bigint
}

interface Wish {
  row: FundingRow
  done: PromiseWithResolvers<void>
}

/** Rows of one transaction: about 3 million gas. */
const MAX_ROWS = 100

/** Gathers wishes for a moment, then pays as many as there is money for in as few transactions. */
export class Funding {
  readonly #options: FundingOptions
  readonly #deposits: Deposits
  #wishes: Wish[] = []
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #batches = 0
  /** What this run paid into, by token, whether or not the confirmed view knows of it yet. */
  readonly #funded = new Map<Hex, Set<Hex>>()

  constructor(options: FundingOptions) {
    this.#options = options
    this.#deposits = new Deposits(options)
  }

  /**
   * Resolves when the deposit is mined. Rejects with `PAYMENT_INSUFFICIENT` when wallet and vault
   * hold too little or the channels too much, and as `TransactionSender.send`.
   */
  fund(row: FundingRow): Promise<void> {
    const done = Promise.withResolvers<void>()
    this.#wishes.push({ row, done })
    this.#timer ??= setTimeout(() => this.#begin(), this.#options.gatherMs)
    return done.promise
  }

  /** Whether money is on its way from wallet or vault into channels, or is about to be. */
  get isBusy(): boolean {
    return this.#wishes.length > 0 || this.#batches > 0
  }

  /** Refuses what has not begun; resolves when nothing is under way. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    const reason = new MainframeError('NETWORK_CLOSED', 'The relay stops')
    for (const { done } of this.#wishes.splice(0)) done.reject(reason)
    await this.#running
  }

  #begin(): void {
    this.#timer = undefined
    const wishes = this.#wishes.splice(0)
    this.#batches += 1
    this.#running = this.#running.then(async () => {
      const groups = Map.groupBy(wishes, ({ row }) => `${row.token} ${row.noticeSeconds}`)
      for (const group of groups.values()) {
        for (let i = 0; i < group.length; i += MAX_ROWS)
          await this.#pay(group.slice(i, i + MAX_ROWS))
      }
      this.#batches -= 1
    })
  }

  /** Of one token and notice. Never rejects: every wish gets its own answer. */
  async #pay(wishes: readonly Wish[]): Promise<void> {
    const token = wishes[0]?.row.token
    if (!token) return
    try {
      await this.#options.sender.settle() // a deposit of a run that was killed may be under way
      const unfunded = await this.#unfunded(wishes)
      if (unfunded.length === 0) return
      const means = await this.#means(token, wishes)
      const affordable = this.#affordable(unfunded, means)
      if (affordable.length > 0) await this.#send(token, affordable, means)
    } catch (cause) {
      for (const { done } of wishes) done.reject(cause)
    }
  }

  /** Leaves out what is done already, by a transaction of a run that crashed or lost sight of it. */
  async #unfunded(wishes: readonly Wish[]): Promise<Wish[]> {
    const { rpc, deployment } = this.#options
    const ids = wishes.map(({ row }) => row.channelId)
    const slots = await fetchSlots(rpc, deployment.channels, ids)
    return wishes.filter(({ row, done }, i) => {
      const { deposit = 0n, epoch = 0 } = slots[i] ?? {}
      const isOurs = row.expectedEpoch === 0 || row.expectedEpoch === epoch
      const isDone = isOurs && deposit >= row.targetBase
      if (isDone) done.resolve()
      return !isDone
    })
  }

  async #means(token: Hex, wishes: readonly Wish[]): Promise<Means> {
    const [funds, lockedBase] = await Promise.all([
      this.#deposits.funds(token),
      this.#locked(token, wishes),
    ])
    return { ...funds, roomBase: this.#options.maxDepositedOf(token) - lockedBase }
  }

  /** What lies in our channels of a token now and was not claimed. */
  async #locked(token: Hex, wishes: readonly Wish[]): Promise<bigint> {
    const { rpc, deployment, directory, sender } = this.#options
    const ids = new Set(this.#funded.get(token))
    for (const { row } of wishes) ids.add(row.channelId)
    for (const row of outgoingChannels(directory, sender.account)) {
      if (row.token === token) ids.add(row.channelId)
    }
    const slots = await fetchSlots(rpc, deployment.channels, [...ids])
    return slots.reduce((sum, { deposit, claimed }) => sum + deposit - claimed, 0n)
  }

  /** The wishes that there is money and room for, in their order; the others are refused. */
  #affordable(wishes: Wish[], { vaultBase, walletBase, roomBase }: Means): Wish[] {
    let [leftBase, leftRoomBase] = [vaultBase + walletBase, roomBase]
    return wishes.filter(({ row, done }) => {
      const { amountBase } = row
      if (amountBase > leftBase) done.reject(this.#insufficient(row, leftBase))
      else if (amountBase > leftRoomBase) done.reject(this.#tooMuch(row, leftRoomBase))
      else {
        leftBase -= amountBase
        leftRoomBase -= amountBase
        return true
      }
      return false
    })
  }

  #tooMuch({ token, amountBase }: FundingRow, roomBase: bigint): MainframeError {
    const room = this.#told(token, roomBase > 0n ? roomBase : 0n)
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      `A channel needs ${this.#told(token, amountBase)}, and maxDepositedUnits leaves room for ${room}; raise it`,
      { details: { token, neededBase: `${amountBase}`, roomBase: `${roomBase}` } },
    )
  }

  #insufficient({ token, amountBase }: FundingRow, leftBase: bigint): MainframeError {
    const { sender } = this.#options
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      `The hot account has ${this.#told(token, leftBase)} left for a channel that needs ${this.#told(token, amountBase)}`,
      {
        details: {
          account: sender.account,
          token,
          leftBase: `${leftBase}`,
          neededBase: `${amountBase}`,
        },
      },
    )
  }

  #told(token: Hex, base: bigint): string {
    const isMft = token === this.#options.deployment.token.toLowerCase()
    return isMft ? `${formatMft(base)} MFT` : `${base} base units of ${token}`
  }

  async #send(token: Hex, wishes: readonly Wish[], means: Means): Promise<void> {
    try {
      const rows = wishes.map(({ row }) => row)
      const funded = this.#funded.get(token) ?? new Set<Hex>()
      this.#funded.set(token, funded)
      for (const { channelId } of rows) funded.add(channelId)
      if (wishes.length > 1 && this.#deposits.areSingles(rows, means)) {
        for (const wish of wishes) await this.#pay([wish])
        return
      }
      await this.#deposits.fund(token, rows, means)
      for (const { done } of wishes) done.resolve()
    } catch (cause) {
      if (wishes.length === 1 || errorCode(cause) !== 'CHAIN_REJECTED') throw cause
      // one row that reverts takes the others with it: each by itself then
      for (const wish of wishes) await this.#pay([wish])
    }
  }
}
