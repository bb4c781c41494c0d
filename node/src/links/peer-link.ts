/** A link that this relay pays for: from the dialled stream to its end (PROTOCOL.md §3, §4). */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ByteStream,
  type ChannelsDomain,
  type CreditStop,
  equalBytes,
  type Hello,
  type Hex,
  isSpokenVersion,
  keepsQuote,
  lowerPrices,
  MainframeError,
  openQuote,
  type PayerChannel,
  PayerLink,
  type Quote,
  type RelayPrices,
  toHex,
} from '@mainframe/protocol'
import type { RelayEntry } from '../chain/directory.ts'
import { chooseQuote } from '../payments/payable.ts'
import type { PayerChannels } from '../payments/payer-channels.ts'
import type { Dispatch, PacketLink, Router } from '../routing/router.ts'
import { shakeHands } from './handshake.ts'
import type { Network } from './network.ts'

export interface PeerLinkOptions {
  network: Pick<Network, 'open'>
  channels: Pick<PayerChannels, 'ensure' | 'topUp' | 'isLow' | 'leave'>
  router: Pick<Router, 'onAccepted' | 'onRefused' | 'onLost' | 'onLinkUp'>
  domain: ChannelsDomain
  /** Tokens to pay with, the preferred first. */
  payWith: readonly Hex[]
  /** Prices on the board as of now; they may have changed since the quote. */
  boardPrices(relay: RelayEntry): RelayPrices | undefined
  /** A failure that the link outlives. */
  onTrouble?(error: unknown): void
  /** First wait for a deposit that the peer has not confirmed yet. */
  retryMs: number
  /** How long the peer may owe an acknowledgement before its link is ended. */
  answerTimeoutMs?: number
  /** Unix milliseconds. */
  now?(): number
}

/**
 * Why a link came to nothing: who answered did not prove to be the peer (`unproved`); its quote is not
 * signed, has expired, or contradicts the chain or our limits (`bad-quote`); it takes nothing that we
 * pay with (`no-medium`); it refuses for good what it is paid with (`payment-refused`); it took packets or a voucher and acknowledges nothing
 * (`silent`); or anything else (`failed`). The first ones are named in an error's `details.outcome`.
 */
export const PEER_FAILURES = [
  'unproved',
  'bad-quote',
  'no-medium',
  'payment-refused',
  'silent',
  'failed',
] as const
export type PeerFailure = (typeof PEER_FAILURES)[number]

/** A link that stood this long was of use, even if there was nothing to send. */
const LONG_STANDING_MS = 60_000
/** An acknowledgement takes a twentieth of a second and a write of the disk; this is a peer that is ill. */
const DEFAULT_ANSWER_TIMEOUT_MS = 30_000
const LONGEST_RETRY_MS = 30_000
/** By how much clocks may differ. */
const SLACK_SECONDS = 60
/** Stops that a larger deposit ends. */
const NEED_TOP_UP: readonly CreditStop[] = ['exhausted', 'over-deposit', 'small-deposit']
/** Stops that pass by themselves. */
const PASSING: readonly CreditStop[] = ['unknown-channel', 'busy', 'over-window']

/** Of a peer whose prices are unknown: no postage is enough. */
const UNPAYABLE: RelayPrices = {
  routeUnits: Number.MAX_SAFE_INTEGER,
  holdUnitsPerHour: Number.MAX_SAFE_INTEGER,
}

export class PeerLink implements PacketLink {
  readonly relay: RelayEntry
  readonly #options: PeerLinkOptions
  readonly #link: PayerLink<Dispatch>
  /** Of this link; set before anybody but {@link open} sees it. */
  #quote: Quote | undefined
  /** The same, or a newer one: what deposits go by. */
  #depositQuote: Quote | undefined
  #keepsQuote = false
  /** Ends the wait for something to do about the channel. */
  #stop: PromiseWithResolvers<CreditStop | 'low'> = Promise.withResolvers()
  readonly #openedMs = performance.now()
  #hadCredit = false
  #tookPackets = false
  /** When the peer last acknowledged something, or owed nothing. */
  #answeredMs = performance.now()
  #fellSilent = false

  private constructor(relay: RelayEntry, options: PeerLinkOptions, stream: ByteStream) {
    const { router } = options
    const { peerKey } = relay
    this.relay = relay
    this.#options = options
    this.#link = new PayerLink(stream, {
      onAccepted: (dispatch) => {
        this.#tookPackets = true
        this.#answeredMs = performance.now()
        router.onAccepted(dispatch)
      },
      onRefused: (dispatch, reason) => {
        this.#answeredMs = performance.now()
        router.onRefused(dispatch, peerKey, reason)
      },
      onClosed: (unacknowledged) => router.onLost(unacknowledged, peerKey),
      onCredit: () => this.#onCredit(),
      onCreditStopped: (reason) => this.#stop.resolve(reason),
    })
  }

  /** Dials, says HELLO and reads the signed quote. Throws when any of it fails. */
  static async open(
    relay: RelayEntry,
    options: PeerLinkOptions,
    signal: AbortSignal,
  ): Promise<PeerLink> {
    const stream = await options.network.open(relay, signal)
    const peer = new PeerLink(relay, options, stream)
    try {
      const hello = await shakeHands(peer.#link, options.domain, signal)
      // what it asks is judged when a channel is opened
      peer.#quote = chooseQuote(quotesOf(hello, relay, options.domain), options.payWith)
      peer.#keepsQuote = keepsQuote(hello.version)
      return peer
    } catch (error) {
      await peer.close()
      throw error
    }
  }

  /**
   * What the peer charges: the board's price, and no more than its quote as long as that holds. Its
   * clock may be a minute ahead of ours.
   */
  get prices(): RelayPrices {
    const quote = this.#quote
    const board = this.#options.boardPrices(this.relay) ?? quote ?? UNPAYABLE
    if (!quote || !this.#keepsQuote) return board
    const isGood = Date.now() / 1000 < quote.expiresAtSeconds - SLACK_SECONDS
    return isGood ? lowerPrices(board, quote) : board
  }

  /** Whether the peer has ever given credit on this link. */
  get hadCredit(): boolean {
    return this.#hadCredit
  }

  /**
   * Whether dialling again soon is worth it. Credit alone is cheap to give: a peer that gives it and
   * hangs up must not be dialled as fast as it likes, nor one that is paid and falls silent.
   */
  get wasUseful(): boolean {
    const isLongStanding = performance.now() - this.#openedMs >= LONG_STANDING_MS
    return !this.#fellSilent && (this.#tookPackets || (this.#hadCredit && isLongStanding))
  }

  /** Id of the channel that pays for the link, once it does. */
  get channelId(): Hex | undefined {
    const { channel } = this.#link
    return channel && this.#hadCredit ? toHex(channel.channelId) : undefined
  }

  get creditUnits(): number {
    return this.#link.creditUnits
  }

  get backlog(): PayerLink['backlog'] {
    return this.#link.backlog
  }

  canTake(postageUnits: number): boolean {
    return this.#hadCredit && this.#link.canTake(postageUnits)
  }

  ship(dispatch: Dispatch): boolean {
    return this.#hadCredit && this.#link.enqueue(dispatch)
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  /**
   * Keeps the link paid until it ends; rejects when it cannot be paid, or the peer does not answer,
   * after closing it.
   */
  async serve(signal: AbortSignal): Promise<void> {
    const onAbort = () => void this.#link.close()
    signal.addEventListener('abort', onAbort, { once: true })
    const silence = Promise.withResolvers<never>()
    const { answerTimeoutMs = DEFAULT_ANSWER_TIMEOUT_MS } = this.#options
    const timer = setInterval(() => {
      this.#fellSilent ||= this.#isSilent(answerTimeoutMs)
      if (this.#fellSilent) silence.reject(silent())
    }, answerTimeoutMs / 4)
    try {
      if (signal.aborted) return
      await Promise.race([this.#keepFunded(signal), this.#link.closed, silence.promise])
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', onAbort)
      await this.#link.close()
    }
  }

  /** Whether the peer has owed an answer for so long; what it was sent goes to others then. */
  #isSilent(answerTimeoutMs: number): boolean {
    if (!this.#link.isOwedAnswer) this.#answeredMs = performance.now()
    return performance.now() - this.#answeredMs >= answerTimeoutMs
  }

  async #keepFunded(signal: AbortSignal): Promise<void> {
    const { channels, retryMs } = this.#options
    if (!this.#quote) return
    let channel = await channels.ensure(this.relay, this.#quote)
    for (let waitMs = retryMs; ; waitMs = Math.min(1.5 * waitMs, LONGEST_RETRY_MS)) {
      this.#stop = Promise.withResolvers()
      this.#link.fund(channel)
      const reason = await this.#stop.promise
      if (reason === 'low') channel = await this.#topUpEarly(channel, signal)
      else if (NEED_TOP_UP.includes(reason)) channel = await this.#topUp(signal)
      else if (!PASSING.includes(reason)) {
        if (reason === 'closing') channels.leave(channel)
        const outcome: PeerFailure = 'payment-refused'
        throw new MainframeError('PAYMENT_UNVERIFIED', `The peer refuses to be paid: ${reason}`, {
          details: { outcome, reason },
        })
      }
      await sleep(waitMs)
      if (this.#link.isClosed) return
    }
  }

  async #topUp(signal: AbortSignal): Promise<PayerChannel> {
    const { channels, now = Date.now } = this.#options
    let quote = this.#depositQuote ?? this.#quote
    if (!quote || 1_000 * quote.expiresAtSeconds <= now()) quote = await this.#newQuote(signal)
    this.#depositQuote = quote
    return await channels.topUp(this.relay, quote)
  }

  /**
   * Over a link of its own: a quote is told once on each. It must be in the medium of this link and at its
   * rate, by which was counted what the peer is owed.
   */
  async #newQuote(signal: AbortSignal): Promise<Quote> {
    const { network, domain } = this.#options
    const { relay } = this
    const first = this.#quote
    const link = new PayerLink(await network.open(relay, signal), {})
    try {
      const hello = await shakeHands(link, domain, signal)
      const quotes = quotesOf(hello, relay, domain)
      const quote = quotes.find(
        ({ token, baseUnitsPerUnit }) =>
          first && equalBytes(token, first.token) && baseUnitsPerUnit === first.baseUnitsPerUnit,
      )
      if (quote) return quote
      throw unverified('changed its medium or rate while a link lasts', 'bad-quote')
    } finally {
      await link.close()
    }
  }

  /** The link is paid for as long as the deposit lasts, whether or not this works. */
  async #topUpEarly(channel: PayerChannel, signal: AbortSignal): Promise<PayerChannel> {
    try {
      return await this.#topUp(signal)
    } catch (error) {
      this.#options.onTrouble?.(error)
      return channel
    }
  }

  #onCredit(): void {
    this.#hadCredit = true
    this.#answeredMs = performance.now()
    const { channel } = this.#link
    if (channel && this.#options.channels.isLow(channel)) this.#stop.resolve('low')
    this.#options.router.onLinkUp(this.relay.peerKey)
  }
}

function silent(): MainframeError {
  const outcome: PeerFailure = 'silent'
  return new MainframeError('NETWORK_TIMEOUT', 'The peer acknowledges nothing', {
    details: { outcome },
  })
}

/** What a peer quotes: one at least, all of them signed. Throws `PAYMENT_UNVERIFIED`. */
function quotesOf(hello: Hello, relay: RelayEntry, domain: ChannelsDomain): Quote[] {
  if (!isSpokenVersion(hello.version)) {
    throw unverified('speaks another version of the link', 'failed')
  }
  const quotes = hello.signedQuotes.map((signed) => openQuote(signed, relay.nodeKey, domain))
  const signed = quotes.filter((quote) => quote !== undefined)
  if (signed.length === 0 || signed.length < quotes.length) {
    throw unverified('did not sign its quotes', 'bad-quote')
  }
  return signed
}

function unverified(what: string, outcome: PeerFailure): MainframeError {
  return new MainframeError('PAYMENT_UNVERIFIED', `The peer ${what}`, { details: { outcome } })
}
