/** Sending earnings on to a cold account, as far as the relay can do without them. */
import { type Deployment, errorCode, type Hex, MainframeError } from '@mainframe/protocol'
import { callView, channelsContract } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'

/** What was sent on by one transaction. */
export interface Swept {
  token: Hex
  amountBase: bigint
  txHash: Hex
}

export interface SweepingOptions {
  rpc: Rpc
  deployment: Deployment
  /** Of the hot account, whose vault earnings are in. */
  sender: TransactionSender
  /** Whose earnings are sent on, in lower case; zero for the chain's coin. */
  tokens: readonly Hex[]
  /** What of a token stays in the vault, base units: the setting, and what channels need. */
  keepBase(token: Hex): bigint
  /** Whether a vault holds money that is on its way into channels: nothing is sent on meanwhile. */
  isFunding(): boolean
  /** The cold account; `undefined` while it is not known. */
  to(): Hex | undefined
  checkMs: number
  onTrouble?: (error: MainframeError) => void
  onSwept?: (swept: Swept) => void
}

/** Less than this part of what stays is not worth a transaction. */
const LEAST_PART = 10n

/** Keeps nothing of its own: the vault says what there is. */
export class Sweeping {
  readonly #options: SweepingOptions
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(options: SweepingOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#beginLook(), this.#options.checkMs)
    this.#beginLook()
  }

  /** Resolves when no transfer is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  #beginLook(): void {
    this.#looking ??= this.#look()
      .catch((cause: unknown) => this.#complain(cause))
      .finally(() => {
        this.#looking = undefined
      })
  }

  #complain(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause)
    const code = errorCode(cause) ?? 'INTERNAL'
    this.#options.onTrouble?.(new MainframeError(code, message, { cause }))
  }

  async #look(): Promise<void> {
    const { sender } = this.#options
    const to = this.#options.to()?.toLowerCase() as Hex | undefined
    if (!to || (await this.#surpluses()).size === 0) return
    if (to === sender.account) throw sweptToItself()
    await sender.settle() // what a run that was killed sent on must not be sent twice
    if (this.#options.isFunding()) return
    for (const [token, amountBase] of await this.#surpluses()) {
      // a token that refuses must not keep the others here
      await this.#sweep(to, token, amountBase).catch((cause: unknown) => this.#complain(cause))
    }
  }

  async #sweep(to: Hex, token: Hex, amountBase: bigint): Promise<void> {
    const { sender, deployment, onSwept } = this.#options
    const data = channelsContract.encodeFunctionData('withdraw', [token, to, amountBase]) as Hex
    const request = { to: deployment.channels, data, what: 'withdraw' }
    const { transactionHash: txHash } = await sender.send(request)
    onSwept?.({ token, amountBase, txHash })
  }

  /** What may go now, by token: of those where it is worth it. */
  async #surpluses(): Promise<Map<Hex, bigint>> {
    const { rpc, deployment, sender, tokens } = this.#options
    const [balances] = await callView(rpc, {
      to: deployment.channels,
      contract: channelsContract,
      method: 'vaults',
      args: [tokens, sender.account],
    })
    const surpluses = tokens.map((token, i): [Hex, bigint] => {
      const keepBase = this.#options.keepBase(token)
      const surplus = (balances[i] as bigint) - keepBase
      return [token, surplus * LEAST_PART >= keepBase ? surplus : 0n]
    })
    return new Map(surpluses.filter(([, base]) => base > 0n))
  }
}

function sweptToItself(): MainframeError {
  return new MainframeError(
    'CONFIG_INVALID',
    'The setting sweepTo is the hot account itself, or the operator is, where it is unset: give an account whose key is elsewhere',
  )
}
