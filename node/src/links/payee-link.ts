/**
 * The receiving side of a link: it is paid for packets and says what became of them
 * (PROTOCOL.md §3, §4). The other side is `PayerLink` of `@mainframe/protocol`.
 */
import { setImmediate } from 'node:timers/promises'
import {
  type Ack,
  agreedVersion,
  type ByteStream,
  type Credit,
  type CreditOutcome,
  decodeCredit,
  decodeHello,
  decodeSubscribe,
  encodeAck,
  encodeHello,
  encodeReleaseAnswer,
  equalBytes,
  type Frame,
  FrameWriter,
  type Hello,
  MAX_REFUSALS,
  MainframeError,
  maxQuotes,
  PACKET_REFUSALS,
  type PacketRefusal,
  type ReleaseAnswer,
  type ReleaseOutcome,
  readFrames,
  SIGNATURE_BYTES,
} from '@mainframe/protocol'
import type { Subscription, Subscriptions } from '../holding/subscriptions.ts'
import type { CreditLedger } from '../payments/credit-ledger.ts'
import type { Releases } from '../payments/releases.ts'
import type { PacketOutcome } from '../routing/outcomes.ts'
import type { Account, Arrival, QuotedPrices } from '../routing/rule.ts'
import type { OwnQuotes } from './own-quote.ts'

/** Why a link was ended by this side; counted, never thrown. */
export const LINK_FAULTS = [
  'undecodable',
  'wrong-network',
  'wrong-version',
  'out-of-order',
  'unexpected',
  'not-open',
  'handshake-timeout',
  'unused',
  'too-many-links',
  'too-many-subscriptions',
  'store-failed',
] as const
export type LinkFault = (typeof LINK_FAULTS)[number]

/** What a link needs of its relay. */
export interface PayeeHost {
  chainId: number
  /** 20-byte address of PaymentChannels. */
  channels: Uint8Array
  /** The relay's signed quotes as of now; `undefined` while it has no prices. */
  quotes(): OwnQuotes | undefined
  ledger: Pick<CreditLedger, 'offer'>
  releases: Pick<Releases, 'ask'>
  receive(arrival: Arrival): PacketOutcome
  holds: { readonly pendingBytes: number; flush(): Promise<void> }
  subscriptions: Subscriptions
  onCredit(outcome: CreditOutcome): void
  onRelease(outcome: ReleaseOutcome): void
  onFault(fault: LinkFault): void
  /** The disk failed: nothing can be acknowledged any more. */
  onFailure(error: unknown): void
}

/** Time for a HELLO after the stream was opened. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/**
 * Time to be paid or subscribed after HELLO. Long enough to open a channel and see it confirmed; a
 * link that has neither by then takes the place of one that would. One that has may be quiet for good.
 */
const UNUSED_TIMEOUT_MS = 10 * 60_000
/** Time for a peer that we leave to read what is left, and to go. */
const CLOSE_TIMEOUT_MS = 2_000
/**
 * Between acknowledgements, unless so many packets wait for one: each is a whole frame and a write, and
 * a payer needs none while it has credit.
 */
const ACK_PAUSE_MS = 50
const PACKETS_PER_ACK = 32
/** Frames of one peer that are treated before the turn of the others: some milliseconds of opening. */
const FRAMES_PER_TURN = 64
/** Refusals that a peer has not been told of before its link is read on. */
const REFUSED_LIMIT = 2_000
/** Frames that wait for a peer before the next acknowledgement; it says more then. */
const WRITER_LIMIT = 16
/** Requests for a release on one link: each is answered by a frame, read or not. */
const MAX_RELEASES = 16
/** Packets that wait for the disk before the link is read on: about 2,000. */
const PENDING_LIMIT_BYTES = 4 * 1024 * 1024

export class PayeeLink {
  readonly #stream: ByteStream
  readonly #host: PayeeHost
  readonly #writer: FrameWriter
  /** Ends a link that does not say HELLO, then one that is not used. */
  #deadline: NodeJS.Timeout
  /** Cuts off a peer that does not end its side after we ended ours. */
  #cutOff: NodeJS.Timeout | undefined
  /** What the HELLO said; set when the peer was greeted. */
  #quoted: QuotedPrices | undefined
  #ended = false
  #account: (Account & { boundTo: object | undefined }) | undefined
  /** The medium of the first voucher that was accepted: a link is paid in one. */
  #token: Uint8Array | undefined
  #offering = false
  #creditsReceived = 0
  #isReleasing = false
  #releasesAsked = 0
  /** Number of the newest voucher that was judged, and the verdict. */
  #creditSequence = 0
  #credit: CreditOutcome = 'accepted'
  #received = 0
  #refused: { sequence: number; reason: PacketRefusal }[] = []
  #ackDue = false
  #lastAckMs = Number.NEGATIVE_INFINITY
  /** The newest voucher that the peer was told of. */
  #creditAcknowledged = 0
  /** The newest packet and the total that the peer was told of. */
  #acknowledged = { sequence: 0, spentUnits: 0 }
  /** Ends the pause before an acknowledgement. */
  #urge = () => {}
  #acking: Promise<void> | undefined
  #subscription: Subscription | undefined

  constructor(stream: ByteStream, host: PayeeHost) {
    this.#stream = stream
    this.#host = host
    this.#writer = new FrameWriter(stream)
    this.#deadline = setTimeout(() => this.#fail('handshake-timeout'), HANDSHAKE_TIMEOUT_MS)
  }

  /** Frames that the peer has not read. */
  get unread(): number {
    return this.#writer.waiting
  }

  /** Serves the link until it ends, for whatever reason; never rejects. */
  async run(): Promise<void> {
    try {
      let readInTurn = 0
      for await (const frames of readFrames(this.#stream)) {
        for (const frame of frames) {
          if (this.#ended || frame?.type === 'bye') return
          const fault = frame ? this.#onFrame(frame) : 'undecodable'
          if (fault) return this.#fail(fault)
        }
        readInTurn += frames.length
        if (readInTurn >= FRAMES_PER_TURN) {
          readInTurn = 0
          await setImmediate() // others are read too, and what was passed on can leave
        }
        if (this.#host.holds.pendingBytes > PENDING_LIMIT_BYTES) await this.#host.holds.flush()
        // who sends without reading the answers is not read on
        if (this.#refused.length > REFUSED_LIMIT) await this.#acking
      }
    } catch {
      // The stream failed: the same end as a peer that went away.
    } finally {
      await this.close()
      clearTimeout(this.#cutOff)
    }
  }

  /** Says BYE after what was written; a peer that does not read it, or does not go, is cut off. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#end()
    this.#writer.write({ type: 'bye' })
    const reason = new MainframeError('NETWORK_TIMEOUT', 'The peer does not end the link')
    this.#cutOff = setTimeout(() => this.#stream.abort(reason), CLOSE_TIMEOUT_MS)
    await this.#writer.idle()
    await this.#stream.close().catch(() => {}) // it has failed or is closed already
  }

  #endUnused(): void {
    this.#host.onFault('unused')
    void this.close()
  }

  #fail(fault: LinkFault): void {
    if (this.#ended) return
    this.#host.onFault(fault)
    this.#end()
    this.#writer.close()
    this.#stream.abort(new MainframeError('NETWORK_CLOSED', `The peer broke the link: ${fault}`))
  }

  #end(): void {
    this.#ended = true
    this.#urge()
    clearTimeout(this.#deadline)
    if (this.#subscription) this.#host.subscriptions.remove(this.#subscription)
    if (this.#account?.boundTo === this) this.#account.boundTo = undefined
  }

  #onFrame(frame: Frame): LinkFault | undefined {
    if (frame.type === 'hello') return this.#onHello(decodeHello(frame.body))
    if (!this.#quoted) return 'unexpected'
    switch (frame.type) {
      case 'packet':
        return this.#onPacket(frame)
      case 'credit':
        return this.#onCredit(frame)
      case 'subscribe':
        return this.#onSubscribe(frame)
      case 'release':
        return this.#onRelease(frame)
      default:
        return 'unexpected'
    }
  }

  #onHello(hello: Hello | undefined): LinkFault | undefined {
    if (this.#quoted) return 'unexpected'
    if (!hello) return 'undecodable'
    const { chainId, channels } = this.#host
    const isOurs = hello.chainId === chainId && equalBytes(hello.channels, channels)
    if (!isOurs) return 'wrong-network'
    const version = agreedVersion(hello.version)
    if (version === undefined) return 'wrong-version'
    const quotes = this.#host.quotes()
    if (!quotes) return 'not-open' // the board has no prices of ours yet; the peer tries again
    this.#quoted = { prices: quotes.prices, expiresAtMs: quotes.expiresAtSeconds * 1000 }
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.#endUnused(), UNUSED_TIMEOUT_MS)
    const signedQuotes = quotes.signed.slice(0, maxQuotes(version))
    const body = encodeHello({ version, chainId, channels, signedQuotes })
    this.#writer.write({ type: 'hello', body })
    return undefined
  }

  #onPacket({ sequence, body, level, postageUnits }: Frame): LinkFault | undefined {
    if (sequence !== this.#received + 1) return 'out-of-order'
    this.#received = sequence
    const account = this.#boundAccount()
    const quoted = this.#quoted
    const outcome = this.#host.receive({ packet: body, level, postageUnits, account, quoted })
    if (isRefusal(outcome)) this.#refused.push({ sequence, reason: outcome })
    this.#acknowledge()
    return undefined
  }

  #onCredit({ sequence, body }: Frame): LinkFault | undefined {
    if (sequence !== this.#creditsReceived + 1) return 'out-of-order'
    this.#creditsReceived = sequence
    const credit = decodeCredit(body)
    const isOther = credit && this.#token && !equalBytes(credit.token, this.#token)
    if (!credit) this.#judge(sequence, 'malformed')
    else if (isOther) this.#judge(sequence, 'wrong-terms')
    else if (this.#offering) this.#judge(sequence, 'busy')
    else void this.#offer(sequence, credit)
    return undefined
  }

  /** The voucher is checked and made durable beside the packets that follow it. */
  async #offer(sequence: number, credit: Credit): Promise<void> {
    this.#offering = true
    try {
      const { outcome, account } = await this.#host.ledger.offer(credit, this)
      if (outcome === 'accepted') {
        this.#account = account
        this.#token = credit.token
        clearTimeout(this.#deadline)
      }
      // the link may have ended while the disk was busy
      if (this.#ended && this.#account?.boundTo === this) this.#account.boundTo = undefined
      this.#judge(sequence, outcome)
    } catch (error) {
      this.#host.onFailure(error)
      this.#fail('store-failed')
    } finally {
      this.#offering = false
    }
  }

  #judge(sequence: number, outcome: CreditOutcome): void {
    this.#host.onCredit(outcome)
    if (sequence < this.#creditSequence) return
    this.#creditSequence = sequence
    this.#credit = outcome
    this.#acknowledge()
  }

  #onRelease({ sequence, body }: Frame): LinkFault | undefined {
    if (sequence !== this.#releasesAsked + 1) return 'out-of-order'
    if (sequence > MAX_RELEASES) return 'unexpected'
    this.#releasesAsked = sequence
    const request = decodeCredit(body)
    if (!request) this.#answer(sequence, unreleased('malformed'))
    else if (this.#isReleasing) this.#answer(sequence, unreleased('busy'))
    else void this.#release(sequence, request)
    return undefined
  }

  async #release(sequence: number, request: Credit): Promise<void> {
    this.#isReleasing = true
    try {
      this.#answer(sequence, await this.#host.releases.ask(request))
    } catch (error) {
      this.#host.onFailure(error)
      this.#fail('store-failed')
    } finally {
      this.#isReleasing = false
    }
  }

  #answer(sequence: number, answer: ReleaseAnswer): void {
    this.#host.onRelease(answer.outcome)
    if (this.#ended) return
    this.#writer.write({ type: 'release', sequence, body: encodeReleaseAnswer(answer) })
  }

  #onSubscribe({ body }: Frame): LinkFault | undefined {
    const wish = decodeSubscribe(body)
    if (!wish) return 'undecodable'
    if (this.#subscription) {
      this.#subscription.replace(wish)
      return undefined
    }
    const onFailure = () => this.#fail('store-failed')
    this.#subscription = this.#host.subscriptions.add({ wish, writer: this.#writer, onFailure })
    if (!this.#subscription) return 'too-many-subscriptions'
    clearTimeout(this.#deadline)
    return undefined
  }

  /** The account that pays, as long as no other link has taken it over. */
  #boundAccount(): Account | undefined {
    return this.#account?.boundTo === this ? this.#account : undefined
  }

  #acknowledge(): void {
    this.#ackDue = true
    if (this.#isAckUrgent) this.#urge()
    this.#acking ??= this.#acknowledgeInTurn()
  }

  /** At least a turn, so that what came together is acknowledged together; a voucher waits no longer. */
  async #untilAckIsWorthwhile(): Promise<void> {
    const pauseMs = this.#lastAckMs + ACK_PAUSE_MS - Date.now()
    if (pauseMs > 0 && !this.#isAckUrgent) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, pauseMs)
      this.#urge = resolve
      await promise
      clearTimeout(timer)
    }
    await setImmediate()
  }

  /** A verdict, the end, many packets, or half of the credit that the payer knows of is spent. */
  get #isAckUrgent(): boolean {
    const isVerdict = this.#creditSequence !== this.#creditAcknowledged
    const { spentUnits = 0, durableUnits = 0 } = this.#boundAccount() ?? {}
    const told = this.#acknowledged
    const spentSince = spentUnits - told.spentUnits
    const isCreditLow = spentSince > 0 && 2 * spentSince >= durableUnits - told.spentUnits
    const areMany = this.#received - told.sequence >= PACKETS_PER_ACK
    return isVerdict || isCreditLow || areMany || this.#ended
  }

  /** None before what it says is durable. */
  async #acknowledgeInTurn(): Promise<void> {
    try {
      while (this.#ackDue && !this.#ended) {
        await this.#untilAckIsWorthwhile()
        if (this.#writer.waiting > WRITER_LIMIT) await this.#writer.idle()
        this.#ackDue = false
        const acks = this.#takeAcks()
        await this.#host.holds.flush()
        for (const ack of acks) {
          this.#writer.write({ type: 'ack', body: encodeAck(ack) })
          this.#creditAcknowledged = ack.creditSequence
          this.#acknowledged = { sequence: ack.processed, spentUnits: ack.spentUnits }
        }
        this.#lastAckMs = Date.now()
      }
    } catch (error) {
      this.#host.onFailure(error)
      this.#fail('store-failed')
    } finally {
      this.#acking = undefined
    }
  }

  /** What there is to say now, in as many frames as its refusals need. */
  #takeAcks(): Ack[] {
    const account = this.#boundAccount()
    const totals = {
      spentUnits: account?.spentUnits ?? 0,
      durableUnits: account?.durableUnits ?? 0,
      creditSequence: this.#creditSequence,
      credit: this.#credit,
    }
    const acks: Ack[] = []
    for (;;) {
      const refused = this.#refused.splice(0, MAX_REFUSALS)
      const last = this.#refused.length === 0
      const processed = last ? this.#received : (refused.at(-1)?.sequence ?? this.#received)
      acks.push({ processed, refused, ...totals })
      if (last) return acks
    }
  }
}

function isRefusal(outcome: PacketOutcome): outcome is PacketRefusal {
  return (PACKET_REFUSALS as readonly string[]).includes(outcome)
}

function unreleased(outcome: 'malformed' | 'busy'): ReleaseAnswer {
  return { outcome, finalAmount: 0n, signature: new Uint8Array(SIGNATURE_BYTES) }
}
