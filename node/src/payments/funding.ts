/** Money into outgoing channels: few transactions for many channels (docs/contracts.md). */
import {
  type Deployment,
  errorCode,
  formatMft,
  type Hex,
  MainframeError,
} from '@mainframe/protocol'
import { AbiCoder, MaxUint256 } from 'ethers'
import {
  callView,
  channelsContract,
  fetchSlots,
  TRANSFER_AND_CALL,
  tokenContract,
} from '../chain/contracts.ts'
import type { Directory } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { outgoingChannels } from './outgoing.ts'

/** A channel to open or to add to. */
export interface FundingRow {
  channelId: Hex
  payee: Hex
  noticeSeconds: number
  amountBase: bigint
  /** The epoch that a top-up must meet; 0 to open. */
  expectedEpoch: number
  /** What the channel's deposit is to be then: where it is there already, nothing is paid. Base units. */
  targetBase: bigint
}

export interface FundingOptions {
  rpc: Rpc
  deployment: Deployment
  directory: Pick<Directory, 'channels'>
  /** Of the payer, who signs the vouchers as well. */
  sender: TransactionSender
  /** The most that all our channels together hold, base units. */
  maxDepositedBase: bigint
  /** How long to wait for others that want the same. */
  gatherMs: number
}

/** What there is to pay from, base units. */
interface Means {
  vaultBase: bigint
  walletBase: bigint
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
  #wishes: Wish[] = []
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #batches = 0
  /** What this run paid into, whether or not the confirmed view knows of it yet. */
  readonly #funded = new Set<Hex>()

  constructor(options: FundingOptions) {
    this.#options = options
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
      const notices = Map.groupBy(wishes, ({ row }) => row.noticeSeconds)
      for (const group of notices.values()) {
        for (let i = 0; i < group.length; i += MAX_ROWS)
          await this.#pay(group.slice(i, i + MAX_ROWS))
      }
      this.#batches -= 1
    })
  }

  /** Never rejects: every wish gets its own answer. */
  async #pay(wishes: readonly Wish[]): Promise<void> {
    try {
      await this.#options.sender.settle() // a deposit of a run that was killed may be under way
      const means = await this.#means(wishes)
      const affordable = this.#affordable(await this.#unfunded(wishes), means)
      if (affordable.length > 0) await this.#send(affordable, means.vaultBase)
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

  async #means(wishes: readonly Wish[]): Promise<Means> {
    const { maxDepositedBase } = this.#options
    const [vaultBase, walletBase, lockedBase] = await Promise.all([
      this.#vault(),
      this.#wallet(),
      this.#locked(wishes),
    ])
    return { vaultBase, walletBase, roomBase: maxDepositedBase - lockedBase }
  }

  /** What lies in our channels now and was not claimed. */
  async #locked(wishes: readonly Wish[]): Promise<bigint> {
    const { rpc, deployment, directory, sender } = this.#options
    const ids = new Set([...this.#funded, ...wishes.map(({ row }) => row.channelId)])
    for (const { channelId } of outgoingChannels(directory, deployment, sender.account)) {
      ids.add(channelId)
    }
    const slots = await fetchSlots(rpc, deployment.channels, [...ids])
    return slots.reduce((sum, { deposit, claimed }) => sum + deposit - claimed, 0n)
  }

  /** The wishes that there is money and room for, in their order; the others are refused. */
  #affordable(wishes: Wish[], { vaultBase, walletBase, roomBase }: Means): Wish[] {
    let [leftBase, leftRoomBase] = [vaultBase + walletBase, roomBase]
    return wishes.filter(({ row, done }) => {
      const { amountBase } = row
      if (amountBase > leftBase) done.reject(this.#insufficient(amountBase, leftBase))
      else if (amountBase > leftRoomBase) done.reject(this.#tooMuch(amountBase, leftRoomBase))
      else {
        leftBase -= amountBase
        leftRoomBase -= amountBase
        return true
      }
      return false
    })
  }

  #tooMuch(neededBase: bigint, roomBase: bigint): MainframeError {
    const { maxDepositedBase } = this.#options
    const room = formatMft(roomBase > 0n ? roomBase : 0n)
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      `A channel needs ${formatMft(neededBase)} MFT, and maxDepositedUnits leaves room for ${room}; raise it`,
      { details: { neededBase: `${neededBase}`, maxDepositedBase: `${maxDepositedBase}` } },
    )
  }

  #insufficient(neededBase: bigint, leftBase: bigint): MainframeError {
    const { account } = this.#options.sender
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      `The hot account has ${formatMft(leftBase)} MFT left for a channel that needs ${formatMft(neededBase)}`,
      { details: { account, leftBase: `${leftBase}`, neededBase: `${neededBase}` } },
    )
  }

  async #send(wishes: readonly Wish[], vaultBase: bigint): Promise<void> {
    try {
      const rows = wishes.map(({ row }) => row)
      for (const { channelId } of rows) this.#funded.add(channelId)
      await this.#transact(rows, vaultBase)
      for (const { done } of wishes) done.resolve()
    } catch (cause) {
      if (wishes.length === 1 || errorCode(cause) !== 'CHAIN_REJECTED') throw cause
      // one row that reverts takes the others with it: each by itself then
      for (const wish of wishes) await this.#pay([wish])
    }
  }

  async #transact(rows: readonly FundingRow[], vaultBase: bigint): Promise<void> {
    const { sender, deployment } = this.#options
    const total = rows.reduce((sum, { amountBase }) => sum + amountBase, 0n)
    const [only] = rows
    const isSingleOpening = rows.length === 1 && only?.expectedEpoch === 0
    if (only && isSingleOpening && vaultBase < total) return await this.#openDirectly(only)
    if (vaultBase < total) await this.#deposit(total - vaultBase)
    const openRows = rows.map(({ payee, amountBase, expectedEpoch }) => ({
      payee,
      signer: sender.account,
      amount: amountBase,
      expectedEpoch,
    }))
    const args = [deployment.token, only?.noticeSeconds, openRows]
    await this.#call('openFromVault', args)
  }

  /** One transaction instead of two or three; a top-up needs `expectedEpoch` and cannot go this way. */
  async #openDirectly({ payee, noticeSeconds, amountBase }: FundingRow): Promise<void> {
    const { sender, deployment } = this.#options
    const terms = AbiCoder.defaultAbiCoder().encode(
      ['address', 'address', 'uint32'],
      [payee, sender.account, noticeSeconds],
    )
    const args = [deployment.channels, amountBase, terms]
    const data = tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args) as Hex
    await sender.send({ to: deployment.token, data, what: 'open' })
  }

  async #deposit(amountBase: bigint): Promise<void> {
    const { sender, deployment } = this.#options
    const [allowance] = await this.#tokenView('allowance', [sender.account, deployment.channels])
    if (allowance < amountBase) {
      // without limit, once: the contract pulls only what its caller asks it to
      const args = [deployment.channels, MaxUint256]
      const data = tokenContract.encodeFunctionData('approve', args) as Hex
      await sender.send({ to: deployment.token, data, what: 'approve' })
    }
    await this.#call('deposit', [deployment.token, amountBase])
  }

  async #call(method: string, args: readonly unknown[]): Promise<void> {
    const { sender, deployment } = this.#options
    const data = channelsContract.encodeFunctionData(method, args) as Hex
    await sender.send({ to: deployment.channels, data, what: method })
  }

  async #vault(): Promise<bigint> {
    const { rpc, deployment, sender } = this.#options
    const [balances] = await callView(rpc, {
      to: deployment.channels,
      contract: channelsContract,
      method: 'vaults',
      args: [[deployment.token], sender.account],
    })
    return balances[0]
  }

  async #wallet(): Promise<bigint> {
    const [balance] = await this.#tokenView('balanceOf', [this.#options.sender.account])
    return balance
  }

  async #tokenView(method: string, args: readonly unknown[]) {
    const { rpc, deployment } = this.#options
    return await callView(rpc, { to: deployment.token, contract: tokenContract, method, args })
  }
}
