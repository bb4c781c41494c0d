/** A link that this relay pays for: from the dialled stream to its end (PROTOCOL.md §3, §4). */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ByteStream,
  type ChannelsDomain,
  type CreditStop,
  type Hello,
  LINK_VERSION,
  MainframeError,
  openQuote,
  PayerLink,
  type Quote,
  type RelayPrices,
} from '@mainframe/protocol'
import type { RelayEntry } from '../chain/directory.ts'
import type { PayerChannels } from '../payments/payer-channels.ts'
import type { Dispatch, PacketLink, Router } from '../routing/router.ts'
import type { Network } from './network.ts'

export interface PeerLinkOptions {
  network: Pick<Network, 'open'>
  channels: Pick<PayerChannels, 'ensure' | 'topUp'>
  router: Pick<Router, 'onRefused' | 'onLost' | 'onLinkUp'>
  domain: ChannelsDomain
  /** Prices on the board as of now; they may have changed since the quote. */
  boardPrices(relay: RelayEntry): RelayPrices | undefined
  /** First wait for a deposit that the peer has not confirmed yet. */
  retryMs: number
  /** How long the peer may owe an acknowledgement before its link is ended. */
  answerTimeoutMs?: number
}

/**
 * Why a link came to nothing: who answered did not prove to be the peer (`unproved`); its quote is not
 * signed, has expired, or contradicts the chain or our limits (`bad-quote`); it refuses for good what
 * it is paid with (`payment-refused`); it took packets or a voucher and acknowledges nothing
 * (`silent`); or anything else (`failed`). The first ones are named in an error's `details.outcome`.
 */
export const PEER_FAILURES = [
  'unproved',
  'bad-quote',
  'payment-refused',
  'silent',
  'failed',
] as const
export type PeerFailure = (typeof PEER_FAILURES)[number]

/** A link that stood this long was of use, even if there was nothing to send. */
const LONG_STANDING_MS = 60_000
const HANDSHAKE_TIMEOUT_MS = 10_000
/** An acknowledgement takes a twentieth of a second and a write of the disk; this is a peer that is ill. */
const DEFAULT_ANSWER_TIMEOUT_MS = 30_000
const LONGEST_RETRY_MS = 30_000
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
  #stop: PromiseWithResolvers<CreditStop> = Promise.withResolvers()
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
      onAccepted: () => {
        this.#tookPackets = true
        this.#answeredMs = performance.now()
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
    const hello = await shakeHands(peer.#link, options.domain, signal)
    const quote = openQuote(hello.signedQuote, relay.nodeKey, options.domain)
    if (quote && hello.version === LINK_VERSION) {
      peer.#quote = quote // what it asks is judged when a channel is opened
      return peer
    }
    await peer.close()
    const reason = quote ? 'speaks another version of the link' : 'did not sign its quote'
    const outcome: PeerFailure = quote ? 'failed' : 'bad-quote'
    throw new MainframeError('PAYMENT_UNVERIFIED', `The peer ${reason}`, { details: { outcome } })
  }

  /** The board's price, which is what the peer charges; its quote was not above it. */
  get prices(): RelayPrices {
    return this.#options.boardPrices(this.relay) ?? this.#quote ?? UNPAYABLE
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
      await Promise.race([this.#keepFunded(), this.#link.closed, silence.promise])
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
        const outcome: PeerFailure = 'payment-refused'
        throw new MainframeError('PAYMENT_UNVERIFIED', `The peer refuses to be paid: ${reason}`, {
          details: { outcome, reason },
        })
      }
      await sleep(waitMs)
      if (this.#link.isClosed) return
    }
  }

  #onCredit(): void {
    this.#hadCredit = true
    this.#answeredMs = performance.now()
    this.#options.router.onLinkUp(this.relay.peerKey)
  }
}

function silent(): MainframeError {
  const outcome: PeerFailure = 'silent'
  return new MainframeError('NETWORK_TIMEOUT', 'The peer acknowledges nothing', {
    details: { outcome },
  })
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
      signedQuote: new Uint8Array(0),
    })
  } finally {
    limit.removeEventListener('abort', onAbort)
  }
}
