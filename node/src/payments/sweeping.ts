/** Sending earnings on to a cold account, as far as the relay can do without them. */
import { type Deployment, errorCode, type Hex, MainframeError } from '@mainframe/protocol'
import { callView, channelsContract } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'

export interface SweepingOptions {
  rpc: Rpc
  deployment: Deployment
  /** Of the hot account, whose vault earnings are in. */
  sender: TransactionSender
  /** What stays in the vault, base units: the setting, and what channels need. */
  keepBase(): bigint
  /** Whether the vault holds money that is on its way into channels: nothing is sent on meanwhile. */
  isFunding(): boolean
  /** The cold account; `undefined` while it is not known. */
  to(): Hex | undefined
  checkMs: number
  onTrouble?: (error: MainframeError) => void
  onSwept?: (amountBase: bigint, txHash: Hex) => void
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
      .catch((cause: unknown) => {
        const message = cause instanceof Error ? cause.message : String(cause)
        const code = errorCode(cause) ?? 'INTERNAL'
        this.#options.onTrouble?.(new MainframeError(code, message, { cause }))
      })
      .finally(() => {
        this.#looking = undefined
      })
  }

  async #look(): Promise<void> {
    const { sender, deployment, onSwept } = this.#options
    const to = this.#options.to()?.toLowerCase() as Hex | undefined
    if (!to || (await this.#surplus()) === 0n) return
    if (to === sender.account) throw sweptToItself()
    await sender.settle() // what a run that was killed sent on must not be sent twice
    if (this.#options.isFunding()) return
    const amountBase = await this.#surplus()
    if (amountBase === 0n) return
    const args = [deployment.token, to, amountBase]
    const data = channelsContract.encodeFunctionData('withdraw', args) as Hex
    const request = { to: deployment.channels, data, what: 'withdraw' }
    const { transactionHash } = await sender.send(request)
    onSwept?.(amountBase, transactionHash)
  }

  /** What may go now; 0 when it is not worth it. */
  async #surplus(): Promise<bigint> {
    const { rpc, deployment, sender } = this.#options
    const keepBase = this.#options.keepBase()
    const [balances] = await callView(rpc, {
      to: deployment.channels,
      contract: channelsContract,
      method: 'vaults',
      args: [[deployment.token], sender.account],
    })
    const surplus = (balances[0] as bigint) - keepBase
    return surplus > 0n && surplus * LEAST_PART >= keepBase ? surplus : 0n
  }
}

function sweptToItself(): MainframeError {
  return new MainframeError(
    'CONFIG_INVALID',
    'The setting sweepTo is the hot account itself, or the operator is, where it is unset: give an account whose key is elsewhere',
  )
}
