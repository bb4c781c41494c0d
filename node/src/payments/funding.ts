/** Money into outgoing channels: few transactions for many channels (docs/contracts.md). */
import { errorCode, formatMft, type Hex, MainframeError } from '@mainframe/protocol'
import { callView, channelsContract } from '../chain/contracts.ts'
import { Deposits, type DepositsOptions, type FundingRow, type Funds } from './deposits.ts'

export interface FundingOptions extends DepositsOptions {
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
  readonly #deposits: Deposits
  #wishes: Wish[] = []
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: FundingOptions) {
    this.#options = options
    this.#deposits = new Deposits(options)
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
      const groups = Map.groupBy(wishes, ({ row }) => `${row.token} ${row.noticeSeconds}`)
      for (const group of groups.values()) {
        for (let i = 0; i < group.length; i += MAX_ROWS)
          await this.#pay(group.slice(i, i + MAX_ROWS))
      }
    })
  }

  /** Of one token and notice. Never rejects: every wish gets its own answer. */
  async #pay(wishes: readonly Wish[]): Promise<void> {
    const token = wishes[0]?.row.token
    if (!token) return
    try {
      const unfunded = await this.#unfunded(wishes)
      if (unfunded.length === 0) return
      const funds = await this.#deposits.funds(token)
      const affordable = this.#affordable(unfunded, funds)
      if (affordable.length > 0) await this.#send(token, affordable, funds)
    } catch (cause) {
      for (const { done } of wishes) done.reject(cause)
    }
  }

  /** Leaves out channels that are open already, by a transaction of a run that crashed. */
  async #unfunded(wishes: readonly Wish[]): Promise<Wish[]> {
    const { rpc, deployment } = this.#options
    const [slots] = await callView(rpc, {
      to: deployment.channels,
      contract: channelsContract,
      method: 'slots',
      args: [wishes.map(({ row }) => row.channelId)],
    })
    return wishes.filter(({ row, done }, i) => {
      const isOpen = row.expectedEpoch === 0 && slots[i].deposit >= row.amountBase
      if (isOpen) done.resolve()
      return !isOpen
    })
  }

  /** The wishes that vault and wallet can pay, in their order; the others are refused. */
  #affordable(wishes: Wish[], { vaultBase, walletBase }: Funds): Wish[] {
    let leftBase = vaultBase + walletBase
    return wishes.filter(({ row, done }) => {
      if (row.amountBase > leftBase) {
        done.reject(this.#insufficient(row, leftBase))
        return false
      }
      leftBase -= row.amountBase
      return true
    })
  }

  #insufficient({ token, amountBase }: FundingRow, leftBase: bigint): MainframeError {
    const { deployment, sender } = this.#options
    const isMft = token === deployment.token.toLowerCase()
    const told = (base: bigint) => (isMft ? formatMft(base) : `${base}`)
    const what = isMft ? 'MFT' : `base units of ${token}`
    return new MainframeError(
      'PAYMENT_INSUFFICIENT',
      `The hot account has ${told(leftBase)} ${what} left for a channel that needs ${told(amountBase)}`,
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

  async #send(token: Hex, wishes: readonly Wish[], funds: Funds): Promise<void> {
    try {
      const rows = wishes.map(({ row }) => row)
      if (wishes.length > 1 && this.#deposits.areSingles(rows, funds)) {
        for (const wish of wishes) await this.#pay([wish])
        return
      }
      await this.#deposits.fund(token, rows, funds)
      for (const { done } of wishes) done.resolve()
    } catch (cause) {
      if (wishes.length === 1 || errorCode(cause) !== 'CHAIN_REJECTED') throw cause
      // one row that reverts takes the others with it: each by itself then
      for (const wish of wishes) await this.#pay([wish])
    }
  }
}
