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
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'

/** A channel to open or to add to. */
export interface FundingRow {
  channelId: Hex
  payee: Hex
  noticeSeconds: number
  amountBase: bigint
  /** The epoch that a top-up must meet; 0 to open. */
  expectedEpoch: number
}

export interface FundingOptions {
  rpc: Rpc
  deployment: Deployment
  /** Of the payer, who signs the vouchers as well. */
  sender: TransactionSender
  /** How long to wait for others that want the same. */
  gatherMs: number
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

  constructor(options: FundingOptions) {
    this.#options = options
  }

  /**
   * Resolves when the deposit is mined. Rejects with `PAYMENT_INSUFFICIENT` when wallet and vault
   * hold too little, and as `TransactionSender.send`.
   */
  fund(row: FundingRow): Promise<void> {
    const done = Promise.withResolvers<void>()
    this.#wishes.push({ row, done })
    this.#timer ??= setTimeout(() => this.#begin(), this.#options.gatherMs)
    return done.promise
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
    this.#running = this.#running.then(async () => {
      const notices = Map.groupBy(wishes, ({ row }) => row.noticeSeconds)
      for (const group of notices.values()) {
        for (let i = 0; i < group.length; i += MAX_ROWS)
          await this.#pay(group.slice(i, i + MAX_ROWS))
      }
    })
  }

  /** Never rejects: every wish gets its own answer. */
  async #pay(wishes: readonly Wish[]): Promise<void> {
    try {
      const { affordable, vaultBase } = await this.#affordable(await this.#unfunded(wishes))
      if (affordable.length > 0) await this.#send(affordable, vaultBase)
    } catch (cause) {
      for (const { done } of wishes) done.reject(cause)
    }
  }

  /** Leaves out channels that are open already, by a transaction of a run that crashed. */
  async #unfunded(wishes: readonly Wish[]): Promise<Wish[]> {
    const { rpc, deployment } = this.#options
    const ids = wishes.map(({ row }) => row.channelId)
    const slots = await fetchSlots(rpc, deployment.channels, ids)
    return wishes.filter(({ row, done }, i) => {
      const isOpen = row.expectedEpoch === 0 && (slots[i]?.deposit ?? 0n) >= row.amountBase
      if (isOpen) done.resolve()
      return !isOpen
    })
  }

  /** The wishes that vault and wallet can pay, in their order; the others are refused. */
  async #affordable(wishes: Wish[]): Promise<{ affordable: Wish[]; vaultBase: bigint }> {
    const [vaultBase, walletBase] = await Promise.all([this.#vault(), this.#wallet()])
    let leftBase = vaultBase + walletBase
    const affordable = wishes.filter(({ row, done }) => {
      if (row.amountBase > leftBase) {
        done.reject(this.#insufficient(row.amountBase, leftBase))
        return false
      }
      leftBase -= row.amountBase
      return true
    })
    return { affordable, vaultBase }
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
