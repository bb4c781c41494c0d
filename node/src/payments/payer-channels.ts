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
import type { Directory, RelayEntry } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import { Funding } from './funding.ts'
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
  /** The disk failed: nothing can be signed any more. */
  onFailure(error: unknown): void
  /** How long to gather openings into one transaction. */
  gatherMs?: number
  /** How long a mined deposit may take to be seen k blocks deep. */
  confirmTimeoutMs?: number
}

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
  readonly #pending = new Map<string, Promise<PayerChannel>>()

  constructor(options: PayerChannelsOptions) {
    const { deployment, gatherMs = DEFAULT_GATHER_MS } = options
    this.#options = options
    this.#funding = new Funding({ ...options, gatherMs })
    const contract = fromHex(deployment.channels)
    this.#separator = domainSeparator({ chainId: BigInt(deployment.chainId), contract })
  }

  /**
   * The channel to a relay as confirmed on chain, in the token of its quote, with what was signed on
   * it; opened if there is none.
   * Rejects with `PAYMENT_UNVERIFIED` when the quote does not agree with the chain or our limits,
   * `PAYMENT_INSUFFICIENT` for want of money, and as `TransactionSender.send`.
   */
  ensure(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    return this.#once(nameOf('ensure', peer, quote), () => this.#ensure(peer, quote))
  }

  /**
   * Adds a deposit to the channel, unless a window fits what is left of it. Errors as {@link ensure}.
   */
  topUp(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    return this.#once(nameOf('top-up', peer, quote), () => this.#topUp(peer, quote))
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
    if (found) return this.#channel(found, quote)
    const terms = this.#terms(quote, noticeSeconds)
    const id = toHex(channelId(terms))
    const amountBase = max(medium.depositBase, quote.minDepositBase)
    windowOf(amountBase, quote) // a relay that can never be prepaid gets no deposit
    const parties = { payee: toHex(quote.payee), token: medium.token }
    const row = { channelId: id, ...parties, noticeSeconds, amountBase, expectedEpoch: 0 }
    await this.#funding.fund(row)
    return this.#channel(await this.#confirmed(id, amountBase), quote)
  }

  async #topUp(peer: RelayEntry, quote: Quote): Promise<PayerChannel> {
    const { directory, deployment, limits } = this.#options
    const { medium } = payable(quote, { peer, directory, deployment, limits })
    const row = this.#find(quote)
    if (!row) return await this.#ensure(peer, quote)
    const channel = this.#channel(row, quote)
    const windowBase = BigInt(channel.windowUnits) * channel.baseUnitsPerUnit
    const isSmall = row.deposit < quote.minDepositBase
    if (!isSmall && row.deposit - channel.signedBase >= windowBase) return channel
    const amountBase = max(medium.depositBase, quote.minDepositBase - row.deposit)
    await this.#funding.fund({
      channelId: row.channelId,
      payee: row.payee,
      token: row.token,
      noticeSeconds: row.noticeSeconds,
      amountBase,
      expectedEpoch: row.epoch,
    })
    return this.#channel(await this.#confirmed(row.channelId, row.deposit + amountBase), quote)
  }

  /** Our open channel to a payee in a token; the one with most left when there are several. */
  #find(quote: Quote): ChannelRow | undefined {
    const { directory, sender } = this.#options
    const [to, token] = [toHex(quote.payee), toHex(quote.token)]
    const open = [...directory.channels.values()].filter(
      (row) =>
        row.state === 'open' &&
        row.payer === sender.account &&
        row.signer === sender.account &&
        row.payee === to &&
        row.token === token &&
        row.noticeSeconds >= quote.noticeSeconds,
    )
    const left = (row: ChannelRow) => row.deposit - this.#signedOf(row)
    return open.reduce<ChannelRow | undefined>(
      (best, row) => (best && left(best) >= left(row) ? best : row),
      undefined,
    )
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

function unconfirmed(message: string): MainframeError {
  return new MainframeError('CHAIN_UNREACHABLE', message, { retryable: true })
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
