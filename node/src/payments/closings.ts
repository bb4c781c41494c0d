/**
 * Taking deposits back from relays that are gone or not needed: with their consent at once, else by
 * asking, waiting for the notice, and finalizing. Refunds go into the vault, from where new channels
 * are funded.
 */
import {
  type ChannelRow,
  type ChannelsDomain,
  type Deployment,
  domainSeparator,
  type EndingChannel,
  errorCode,
  fromHex,
  type Hex,
  isReleased,
  MainframeError,
  type ReleaseAnswer,
  releaseRequest,
  toHex,
} from '@mainframe/protocol'
import { type ChannelSlot, channelsContract, fetchSlots } from '../chain/contracts.ts'
import type { Directory, RelayEntry } from '../chain/directory.ts'
import { fetchHeader } from '../chain/headers.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { Idleness } from './idleness.ts'
import { outgoingChannels } from './outgoing.ts'
import type { SignedLog } from './signed-log.ts'

export interface ClosingsOptions {
  rpc: Rpc
  deployment: Deployment
  domain: ChannelsDomain
  directory: Directory
  /** Of the payer, who signs the vouchers as well. */
  sender: TransactionSender
  hotSecret: Uint8Array
  signed: Pick<SignedLog, 'entries'>
  /** A channel that was not used for so long is closed. */
  idleMs: number
  checkMs: number
  /** Ids of the channels that pay for the links that stand now. */
  inUse(): Iterable<Hex>
  /** Asks a relay for its consent. */
  ask(relay: RelayEntry, body: Uint8Array): Promise<ReleaseAnswer>
  /** Told of every failure; it is tried again at the next look. */
  onTrouble?: (error: MainframeError) => void
  onClosed?: (channelId: Hex, how: 'released' | 'finalized') => void
}

/** A payee that refuses to be paid makes us close no more often than this: each time costs gas. */
const LEAVE_PAUSE_MS = 86_400_000

/** Keeps nothing of its own: each step follows from what the chain says, so it survives any crash. */
export class Closings {
  readonly #options: ClosingsOptions
  readonly #separator: Uint8Array
  readonly #idleness: Idleness
  /** When a payee last refused to be paid by its channel, and the epoch that is still to be closed for it. */
  readonly #left = new Map<Hex, { atMs: number; dueEpoch: number | undefined }>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #isStopped = false

  constructor(options: ClosingsOptions) {
    this.#options = options
    this.#separator = domainSeparator(options.domain)
    this.#idleness = new Idleness(options.rpc, options.idleMs)
  }

  start(): void {
    this.#timer = setInterval(() => this.#beginLook(), this.#options.checkMs)
    this.#beginLook()
  }

  /** Resolves when no step is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#looking
  }

  /**
   * The payee takes no more vouchers on an open channel, as after a release that we were killed before
   * we could use: it is closed at the next look, so that a new epoch may begin.
   */
  leave(channelId: Hex, epoch: number): void {
    const known = this.#left.get(channelId)
    if (known && Date.now() - known.atMs < LEAVE_PAUSE_MS) return
    this.#left.set(channelId, { atMs: Date.now(), dueEpoch: epoch })
  }

  #beginLook(): void {
    if (this.#looking || this.#isStopped) return
    this.#looking = this.#look()
      .catch((cause: unknown) => this.#complain(cause))
      .finally(() => {
        this.#looking = undefined
      })
  }

  async #look(): Promise<void> {
    const { directory, sender, inUse } = this.#options
    const rows = [...outgoingChannels(directory, sender.account)]
    const used = new Set(inUse())
    this.#idleness.note(used, rows)
    const unused = rows.filter(({ channelId }) => !used.has(channelId))
    if (unused.length === 0) return
    const nowSeconds = await this.#chainTime()
    const due: ChannelRow[] = []
    for (const row of unused) if (await this.#isDue(row, nowSeconds)) due.push(row)
    if (due.length === 0) return
    const slots = await this.#newest(due)
    for (const [i, row] of due.entries()) {
      const slot = slots[i]
      if (this.#isStopped || !slot) return
      // one that fails must not keep the others from their end
      await this.#advance(row, slot, nowSeconds).catch((cause: unknown) => this.#complain(cause))
    }
  }

  async #isDue(row: ChannelRow, nowSeconds: number): Promise<boolean> {
    if (row.state === 'closing') return nowSeconds >= row.closesAt
    if (this.#left.get(row.channelId)?.dueEpoch === row.epoch) return true
    return await this.#idleness.isIdle(row, 1_000 * nowSeconds)
  }

  async #chainTime(): Promise<number> {
    return (await fetchHeader(this.#options.rpc, 'latest')).time
  }

  /** What the newest block says: the confirmed view lags behind our own last step. */
  async #newest(rows: readonly ChannelRow[]): Promise<ChannelSlot[]> {
    const { rpc, deployment, sender } = this.#options
    await sender.settle()
    return await fetchSlots(
      rpc,
      deployment.channels,
      rows.map(({ channelId }) => channelId),
    )
  }

  async #advance(row: ChannelRow, slot: ChannelSlot, nowSeconds: number): Promise<void> {
    const { deposit, closesAt, epoch } = slot
    if (deposit === 0n || epoch !== row.epoch) return
    if (closesAt !== 0) {
      if (nowSeconds < closesAt) return
      await this.#send('finalize', [termsOf(row)])
      this.#onClosed(row, 'finalized')
      return
    }
    const answer = await this.#consent(row, slot)
    if (!answer) {
      await this.#send('requestClose', [termsOf(row)])
      this.#settleLeft(row)
      return
    }
    const { finalAmount, signature } = answer
    const [r, vs] = [toHex(signature.subarray(0, 32)), toHex(signature.subarray(32))]
    await this.#send('closeWithRelease', [termsOf(row), finalAmount, r, vs])
    this.#onClosed(row, 'released')
  }

  /** The payee's Release; `undefined` when it is gone, away, or wants more than it was promised. */
  async #consent(row: ChannelRow, slot: ChannelSlot): Promise<ReleaseAnswer | undefined> {
    const { directory, hotSecret, ask } = this.#options
    const relay = [...directory.relays.values()].find((entry) => entry.row.payee === row.payee)
    if (!relay) return undefined
    const channel = this.#ending(row, slot)
    const answer = await ask(relay, releaseRequest(channel, hotSecret)).catch(() => undefined)
    return answer && isReleased(answer, channel) ? answer : undefined
  }

  #ending(row: ChannelRow, { claimed, epoch }: ChannelSlot): EndingChannel {
    const stored = this.#options.signed.entries.get(row.channelId)
    const signed = stored?.epoch === epoch ? stored.amount : 0n
    return {
      terms: {
        payer: fromHex(row.payer),
        payee: fromHex(row.payee),
        token: fromHex(row.token),
        signer: fromHex(row.signer),
        noticeSeconds: row.noticeSeconds,
      },
      epoch,
      signedBase: signed > claimed ? signed : claimed,
      domainSeparator: this.#separator,
    }
  }

  async #send(what: string, args: readonly unknown[]): Promise<void> {
    const { sender, deployment } = this.#options
    const data = channelsContract.encodeFunctionData(what, args) as Hex
    await sender.send({ to: deployment.channels, data, what })
  }

  #onClosed(row: ChannelRow, how: 'released' | 'finalized'): void {
    this.#settleLeft(row)
    this.#options.onClosed?.(row.channelId, how)
  }

  /** The rest goes its way, and must not begin again when the close is cancelled. */
  #settleLeft({ channelId }: ChannelRow): void {
    const left = this.#left.get(channelId)
    if (left) left.dueEpoch = undefined
  }

  #complain(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause)
    const code = errorCode(cause) ?? 'INTERNAL'
    this.#options.onTrouble?.(new MainframeError(code, message, { cause }))
  }
}

function termsOf({ payee, token, signer, noticeSeconds }: ChannelRow) {
  return { payee, token, signer, notice: noticeSeconds }
}
