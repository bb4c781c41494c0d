/** The payer's side of payment between relays: this relay's outgoing channels (PROTOCOL.md §4). */
import { setTimeout } from 'node:timers/promises'
import {
  type ChannelRow,
  type ChannelTerms,
  channelId,
  type Deployment,
  domainSeparator,
  fromHex,
  type Hex,
  MainframeError,
  type PayerChannel,
  type Quote,
  toHex,
} from '@mainframe/protocol'
import { channelsContract } from '../chain/contracts.ts'
import type { Directory, RelayEntry } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { Funding } from './funding.ts'
import type { PayingMedium } from './media.ts'
import { outgoingChannels } from './outgoing.ts'
import { type PayerLimits, payable } from './payable.ts'
import { assertCountable, windowOf } from './payer-window.ts'
import type { SignedLog } from './signed-log.ts'

export interface PayerChannelsOptions {
  rpc: Rpc
  deployment: Deployment
  directory: Directory
  /** Of the hot account. */
  sender: TransactionSender
  hotSecret: Uint8Array
  signed: SignedLog
  limits: PayerLimits
  /** A payee takes no more vouchers on a channel that is open; it is closed then. */
  onLeft?(channelId: Hex, epoch: number): void
  /** The disk failed: nothing can be signed any more. */
  onFailure(error: unknown): void
  /** How long to gather openings into one transaction. */
  gatherMs?: number
  /** How long a mined deposit may take to be seen k blocks deep. */
  confirmTimeoutMs?: number
}

/** Time for a payee to see that a channel is not closing any more. */
const KEPT_GRACE_MS = 10 * 60_000
const DEFAULT_GATHER_MS = 50
const DEFAULT_CONFIRM_TIMEOUT_MS = 600_000

/** Opens, finds again and tops up the channels from which links to other relays are paid. */
export class PayerChannels {
  readonly #options: PayerChannelsOptions
  readonly #funding: Funding
  readonly #separator: Uint8Array
  readonly #stop = new AbortController()
  /** One object a channel, whatever number of links is or was paid from it. */
  readonly #live = new Map<Hex, PayerChannel>()
  /** Epochs in which a payee takes no vouchers any more, by channel id. */
  readonly #left = new Map<Hex, number>()
  /** When we last took back the wish to close a channel, Unix milliseconds. */
  readonly #keptMs = new Map<Hex, number>()
  readonly #pending = new Map<string, Promise<PayerChannel>>()

  constructor(options: PayerChannelsOptions) {
    const { deployment, gatherMs = DEFAULT_GATHER_MS } = options
    this.#options = options
    const maxDepositedOf = (token: Hex) => this.#mediumOf(token)?.maxDepositedBase ?? 0n
    this.#funding = new Funding({ ...options, maxDepositedOf, gatherMs })
    const contract = fromHex(deployment.channels)
    this.#separator = domainSeparator({ chainId: BigInt(deployment.chainId), contract })
  }

  /**
   * The channel to a relay as confirmed on chain, in the token of its quote, with what was signed on
   * it; opened if there is none, and kept open if we had asked to close it.
   * Rejects with `PAYMENT_UNVERIFIED` when the quote does not agree with the chain or our limits,
   * `PAYMENT_INSUFFICIENT` for want of money, and as `TransactionSender.send`.
   */
  ensure(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    return this.#once(nameOf('ensure', peer, quote), () => this.#ensure(peer, quote))
  }

  /**
   * Adds a deposit to the channel, unless a window and the low-water mark fit what is left of it.
   * Errors as {@link ensure}.
   */
  topUp(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    return this.#once(nameOf('top-up', peer, quote), () => this.#topUp(peer, quote))
  }

  /** Whether a channel should be topped up before it runs dry. */
  isLow({ terms, depositBase, signedBase }: PayerChannel): boolean {
    const { lowWaterBase = 0n } = this.#mediumOf(toHex(terms.token)) ?? {}
    return depositBase - signedBase < lowWaterBase
  }

  /** Whether deposits are being made. */
  get isFunding(): boolean {
    return this.#funding.isBusy
  }

  /** The payee refuses vouchers on this channel as if it were closing. */
  leave({ channelId, epoch }: PayerChannel): void {
    const id = toHex(channelId)
    // it may not have seen yet that we keep the channel after all
    if (Date.now() - (this.#keptMs.get(id) ?? 0) < KEPT_GRACE_MS) return
    this.#left.set(id, epoch)
    this.#options.onLeft?.(id, epoch)
  }

  /** Ends waits; resolves when no transaction is under way. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#funding.stop()
    await Promise.allSettled(this.#pending.values())
  }

  #once(name: string, work: () => Promise<PayerChannel>): Promise<PayerChannel> {
    const pending = this.#pending.get(name)
    if (pending) return pending
    const begun = work().finally(() => this.#pending.delete(name))
    this.#pending.set(name, begun)
    return begun
  }

  async #ensure(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    const { directory, deployment, limits } = this.#options
    const { medium, noticeSeconds } = payable(quote, { peer, directory, deployment, limits })
    const found = this.#find(quote)
    if (found?.state === 'open') return this.#channel(found, quote)
    if (found) return this.#channel(await this.#keep(found), quote)
    const terms = this.#terms(quote, noticeSeconds)
    const id = toHex(channelId(terms))
    const amountBase = max(medium.depositBase, quote.minDepositBase)
    windowOf(amountBase, quote) // a relay that can never be prepaid gets no deposit
    const parties = { payee: toHex(quote.payee), token: medium.token }
    const amounts = { amountBase, targetBase: amountBase }
    const row = { channelId: id, ...parties, noticeSeconds, ...amounts, expectedEpoch: 0 }
    await this.#funding.fund(row)
    return this.#channel(await this.#confirmed(id, amountBase), quote)
  }

  async #topUp(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    const { directory, deployment, limits } = this.#options
    const { medium } = payable(quote, { peer, directory, deployment, limits })
    const row = this.#find(quote)
    if (row?.state !== 'open') return await this.#ensure(peer, quote)
    const channel = this.#channel(row, quote)
    const windowBase = BigInt(channel.windowUnits) * channel.baseUnitsPerUnit
    const wantedBase = max(windowBase, medium.lowWaterBase)
    const isSmall = row.deposit < quote.minDepositBase
    if (!isSmall && row.deposit - channel.signedBase >= wantedBase) return channel
    const amountBase = max(medium.depositBase, quote.minDepositBase - row.deposit)
    const targetBase = row.deposit + amountBase
    await this.#funding.fund({
      channelId: row.channelId,
      payee: row.payee,
      token: row.token,
      noticeSeconds: row.noticeSeconds,
      amountBase,
      targetBase,
      expectedEpoch: row.epoch,
    })
    return this.#channel(await this.#confirmed(row.channelId, targetBase), quote)
  }

  #mediumOf(token: Hex): PayingMedium | undefined {
    return this.#options.limits.media.find((medium) => medium.token === token)
  }

  /** The peer is wanted again, before the notice of its channel has passed. */
  async #keep(row: ChannelRow): Promise<ChannelRow> {
    // cancelling and asking anew in turns would cost gas for as long as the payee likes
    if (this.#left.get(row.channelId) === row.epoch) throw ended()
    const { sender, deployment } = this.#options
    const { payee, token, signer, noticeSeconds: notice } = row
    const data = channelsContract.encodeFunctionData('cancelClose', [
      { payee, token, signer, notice },
    ]) as Hex
    this.#keptMs.set(row.channelId, Date.now())
    await sender.send({ to: deployment.channels, data, what: 'cancelClose' })
    this.#keptMs.set(row.channelId, Date.now())
    return await this.#confirmed(row.channelId, row.deposit)
  }

  /** Our channel to a payee in a token; an open one, the one with most left, when there are several. */
  #find({ noticeSeconds, ...quote }: Quote): ChannelRow | undefined {
    const { directory, sender } = this.#options
    const [to, token] = [toHex(quote.payee), toHex(quote.token)]
    const rows = [...outgoingChannels(directory, sender.account)].filter(
      (row) => row.payee === to && row.token === token && row.noticeSeconds >= noticeSeconds,
    )
    const open = rows.filter(({ state }) => state === 'open')
    const left = (row: ChannelRow) => row.deposit - this.#signedOf(row)
    const most = (best: ChannelRow, row: ChannelRow) => (left(best) >= left(row) ? best : row)
    const candidates = open.length > 0 ? open : rows
    return candidates.length > 0 ? candidates.reduce(most) : undefined
  }

  /** Never less than what was claimed: that much was signed, whatever became of our log. */
  #signedOf({ channelId: id, epoch, claimed }: ChannelRow): bigint {
    const live = this.#live.get(id)
    if (live?.epoch === epoch) return live.signedBase
    const stored = this.#options.signed.entries.get(id)
    return stored?.epoch === epoch ? max(stored.amount, claimed) : claimed
  }

  #terms({ payee, token }: Quote, noticeSeconds: number): ChannelTerms {
    const account = fromHex(this.#options.sender.account)
    return { payer: account, payee, token, signer: account, noticeSeconds }
  }

  #channel(row: ChannelRow, quote: Quote): PayerChannel {
    const { channelId: id, epoch, deposit: depositBase } = row
    const { baseUnitsPerUnit } = quote
    const figures = { depositBase, baseUnitsPerUnit, windowUnits: windowOf(depositBase, quote) }
    assertCountable(this.#signedOf(row), figures)
    const live = this.#live.get(id)
    if (live?.epoch === epoch) return Object.assign(live, figures)
    const { signed, hotSecret, onFailure } = this.#options
    const channel: PayerChannel = {
      terms: this.#terms(quote, row.noticeSeconds),
      channelId: fromHex(id),
      epoch,
      ...figures,
      signedBase: this.#signedOf(row),
      domainSeparator: this.#separator,
      signerSecretKey: hotSecret,
      record: async (amount) => {
        await signed.put({ channelId: id, epoch, amount }).catch((error: unknown) => {
          onFailure(error)
          throw error
        })
      },
    }
    this.#live.set(id, channel)
    return channel
  }

  /** The channel once its deposit is k blocks deep. */
  async #confirmed(id: Hex, depositBase: bigint): Promise<ChannelRow> {
    const { directory, confirmTimeoutMs = DEFAULT_CONFIRM_TIMEOUT_MS } = this.#options
    const seen = Promise.withResolvers<ChannelRow>()
    const look = () => {
      const row = directory.channels.get(id)
      if (row?.state === 'open' && row.deposit >= depositBase) seen.resolve(row)
    }
    const unsubscribe = directory.subscribe(look)
    const ended = new AbortController()
    const signal = AbortSignal.any([ended.signal, this.#stop.signal])
    const timeout = setTimeout(confirmTimeoutMs, undefined, { signal }).then(
      () => {
        throw unconfirmed('A deposit was mined and not confirmed in time')
      },
      () => {
        throw unconfirmed('The relay stopped before a deposit was confirmed')
      },
    )
    timeout.catch(() => {}) // its end is of no interest once the deposit was seen
    try {
      look()
      return await Promise.race([seen.promise, timeout])
    } finally {
      ended.abort()
      unsubscribe()
    }
  }
}

function nameOf(what: string, { row }: RelayEntry, { token }: Quote): string {
  return `${what} ${row.nodeId} ${toHex(token)}`
}

function ended(): MainframeError {
  const message =
    'The peer takes no more vouchers on its channel, which ends when its notice has passed'
  return new MainframeError('PAYMENT_UNVERIFIED', message, {
    details: { outcome: 'payment-refused' },
  })
}

function unconfirmed(message: string): MainframeError {
  return new MainframeError('CHAIN_UNREACHABLE', message, { retryable: true })
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
