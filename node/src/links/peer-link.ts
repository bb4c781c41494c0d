/** A link that this relay pays for: from the dialled stream to its end (PROTOCOL.md §3, §4). */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ByteStream,
  type ChannelsDomain,
  type CreditStop,
  type Hello,
  type Hex,
  isSpokenVersion,
  keepsQuote,
  LINK_VERSION,
  lowerPrices,
  MainframeError,
  openQuote,
  PayerLink,
  type Quote,
  type RelayPrices,
} from '@mainframe/protocol'
import type { RelayEntry } from '../chain/directory.ts'
import { chooseQuote } from '../payments/payable.ts'
import type { PayerChannels } from '../payments/payer-channels.ts'
import type { Dispatch, PacketLink, Router } from '../routing/router.ts'
import type { Network } from './network.ts'

export interface PeerLinkOptions {
  network: Pick<Network, 'open'>
  channels: Pick<PayerChannels, 'ensure' | 'topUp'>
  router: Pick<Router, 'onRefused' | 'onLost' | 'onLinkUp'>
  domain: ChannelsDomain
  /** Tokens to pay with, the preferred first. */
  payWith: readonly Hex[]
  /** Prices on the board as of now; they may have changed since the quote. */
  boardPrices(relay: RelayEntry): RelayPrices | undefined
  /** First wait for a deposit that the peer has not confirmed yet. */
  retryMs: number
}

/** A link that stood this long was of use, even if there was nothing to send. */
const LONG_STANDING_MS = 60_000
const HANDSHAKE_TIMEOUT_MS = 10_000
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
  /** Set before anybody but {@link open} sees the link. */
  #quote: Quote | undefined
  #keepsQuote = false
  #stop: PromiseWithResolvers<CreditStop> = Promise.withResolvers()
  readonly #openedMs = performance.now()
  #hadCredit = false
  #tookPackets = false

  private constructor(relay: RelayEntry, options: PeerLinkOptions, stream: ByteStream) {
    const { router } = options
    const { peerKey } = relay
    this.relay = relay
    this.#options = options
    this.#link = new PayerLink(stream, {
      onAccepted: () => {
        this.#tookPackets = true
      },
      onRefused: (dispatch, reason) => router.onRefused(dispatch, peerKey, reason),
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
    const hello = await shakeHands(peer.#link, options.domain, signal)
    try {
      peer.#quote = quoteOf(hello, relay, options) // what it asks is judged when a channel is opened
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
   * hangs up must not be dialled as fast as it likes.
   */
  get wasUseful(): boolean {
    const isLongStanding = performance.now() - this.#openedMs >= LONG_STANDING_MS
    return this.#tookPackets || (this.#hadCredit && isLongStanding)
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

  /** Keeps the link paid until it ends; rejects when it cannot be paid, after closing it. */
  async serve(signal: AbortSignal): Promise<void> {
    const onAbort = () => void this.#link.close()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      if (signal.aborted) return
      await Promise.race([this.#keepFunded(), this.#link.closed])
    } finally {
      signal.removeEventListener('abort', onAbort)
      await this.#link.close()
    }
  }

  async #keepFunded(): Promise<void> {
    const { channels, retryMs } = this.#options
    const quote = this.#quote
    if (!quote) return
    let channel = await channels.ensure(this.relay, quote)
    for (let waitMs = retryMs; ; waitMs = Math.min(1.5 * waitMs, LONGEST_RETRY_MS)) {
      this.#stop = Promise.withResolvers()
      this.#link.fund(channel)
      const reason = await this.#stop.promise
      if (NEED_TOP_UP.includes(reason)) channel = await channels.topUp(this.relay, quote)
      else if (!PASSING.includes(reason)) {
        throw new MainframeError('PAYMENT_UNVERIFIED', `The peer refuses to be paid: ${reason}`)
      }
      await sleep(waitMs)
      if (this.#link.isClosed) return
    }
  }

  #onCredit(): void {
    this.#hadCredit = true
    this.#options.router.onLinkUp(this.relay.peerKey)
  }
}

/** The quote that we pay by. Throws `PAYMENT_UNVERIFIED`, or `PAYMENT_NO_MEDIUM`. */
function quoteOf(hello: Hello, relay: RelayEntry, { domain, payWith }: PeerLinkOptions): Quote {
  const unverified = (what: string) => new MainframeError('PAYMENT_UNVERIFIED', `The peer ${what}`)
  if (!isSpokenVersion(hello.version)) throw unverified('speaks another version of the link')
  const quotes = hello.signedQuotes.map((signed) => openQuote(signed, relay.nodeKey, domain))
  const signed = quotes.filter((quote) => quote !== undefined)
  if (signed.length === 0 || signed.length < quotes.length) {
    throw unverified('did not sign its quotes')
  }
  return chooseQuote(signed, payWith)
}

async function shakeHands(
  link: PayerLink<Dispatch>,
  { chainId, contract }: ChannelsDomain,
  signal: AbortSignal,
): Promise<Hello> {
  const reason = new MainframeError('NETWORK_TIMEOUT', 'The peer did not answer')
  const onAbort = () => link.abort(reason)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_TIMEOUT_MS)])
  limit.addEventListener('abort', onAbort, { once: true })
  try {
    return await link.handshake({
      version: LINK_VERSION,
      chainId: Number(chainId),
      channels: contract,
      signedQuotes: [],
    })
  } finally {
    limit.removeEventListener('abort', onAbort)
  }
}
