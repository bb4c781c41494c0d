/**
 * The paying side of a link, the same for clients and for relays that forward (PROTOCOL.md §3, §4):
 * HELLO, prepaid windows by cumulative vouchers, packets against credit, acknowledgements.
 */
import { equalBytes } from '../bytes.ts'
import { MainframeError } from '../errors.ts'
import type { Frame } from '../frame.ts'
import { countableUnits } from '../money.ts'
import {
  type Ack,
  CAUGHT_UP_FLAG,
  type CreditOutcome,
  decodeAck,
  decodeHello,
  encodeHello,
  encodeSubscribe,
  type Hello,
  type PacketRefusal,
  type Subscribe,
} from './bodies.ts'
import { type ByteStream, FrameWriter, readFrames } from './frame-stream.ts'
import { type PayerChannel, voucherBody } from './payer-channel.ts'
import {
  creditUnits,
  earnedWindow,
  newPrepaid,
  nextAmount,
  type Prepaid,
  type SigningStop,
  wantsVoucher,
} from './prepaid.ts'
import { decodeReleaseAnswer, type ReleaseAnswer } from './release.ts'

/** A packet on its way over a link. */
export interface Shipment {
  packet: Uint8Array
  postageUnits: number
  /** Spread level (PROTOCOL.md §6); a client sends 0. */
  level: number
}

/**
 * What a link tells its owner; shipments come back as the very objects that were enqueued, with
 * whatever the owner attached to them. Handlers must not throw.
 */
export interface PayerLinkHandlers<S extends Shipment = Shipment> {
  /** A packet was processed by the relay. */
  onAccepted?(shipment: S): void
  /** A packet was not taken; nothing was debited for it. */
  onRefused?(shipment: S, reason: PacketRefusal): void
  /** A held or new packet for a subscription; the cursor resumes after it. */
  onDeliver?(packet: Uint8Array, cursor: number): void
  onCaughtUp?(cursor: number): void
  /** Asked after each batch that was read: the link reads on when this resolves; `undefined` is now. */
  whenRoom?(): Promise<void> | undefined
  /** The relay took a voucher: {@link PayerLink.creditUnits} has grown. */
  onCredit?(): void
  /** No further voucher leaves until {@link PayerLink.fund} is called again. */
  onCreditStopped?(reason: CreditStop): void
  /** The link has ended; these shipments were queued or not acknowledged. */
  onClosed?(unacknowledged: readonly S[]): void
}

/**
 * Why a link stopped paying: the relay refused a voucher; the deposit is signed away (`exhausted`);
 * or the relay counts more as spent than was sent (`overcharged`).
 */
export type CreditStop = Exclude<CreditOutcome, 'accepted'> | SigningStop

/** Shipments that may wait for credit or for the peer before `enqueue` refuses. */
export const LINK_QUEUE_LIMIT = 1024
/** Frames that stand ready for the writer; when it has sent them it asks for more. */
const WRITER_LIMIT = 64
/** Packets without an acknowledgement; a relay that reads and never answers fills no memory. */
const IN_FLIGHT_LIMIT = 4096
/** How long {@link PayerLink.close} waits for a peer that does not read. */
const CLOSE_TIMEOUT_MS = 2000

export class PayerLink<S extends Shipment = Shipment> {
  readonly #stream: ByteStream
  readonly #writer: FrameWriter
  readonly #handlers: PayerLinkHandlers<S>
  readonly #hello = Promise.withResolvers<Hello>()
  readonly #closed = Promise.withResolvers<void>()
  #isClosed = false
  #channel: PayerChannel | undefined
  #queue: S[] = []
  #inFlight: { shipment: S; sequence: number }[] = []
  #sequence = 0
  #queuedUnits = 0
  #prepaid: Prepaid = newPrepaid(0n)
  /** Number of the newest CREDIT, and what it makes durable while no answer to it has come. */
  #creditSequence = 0
  /** Number of the newest CREDIT that left: until then there is nothing to judge. */
  #creditsSent = 0
  #pendingUnits: number | undefined
  #stopped: CreditStop | undefined
  /** Number of the newest RELEASE, and who waits for the answer to it. */
  #releaseSequence = 0
  #releasing: PromiseWithResolvers<ReleaseAnswer> | undefined

  constructor(stream: ByteStream, handlers: PayerLinkHandlers<S>) {
    this.#stream = stream
    this.#writer = new FrameWriter(stream, () => this.#pump())
    this.#handlers = handlers
    this.#hello.promise.catch(() => {}) // a link may end before anybody waits for the answer
    void this.#read()
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Resolves when the link has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  get channel(): PayerChannel | undefined {
    return this.#channel
  }

  /** Units that can be spent now without another voucher. */
  get creditUnits(): number {
    return creditUnits(this.#prepaid)
  }

  /** Packets that wait here for credit or the peer, and that the peer has not acknowledged. */
  get backlog(): { queued: number; unacknowledged: number } {
    return { queued: this.#queue.length, unacknowledged: this.#inFlight.length }
  }

  /** Whether the relay has something to acknowledge: packets, or a voucher. */
  get isOwedAnswer(): boolean {
    return this.#inFlight.length > 0 || this.#pendingUnits !== undefined
  }

  /** Whether {@link enqueue} would take a shipment with this postage now. */
  canTake(postageUnits: number): boolean {
    if (this.#isClosed || !this.#channel || this.#queue.length >= LINK_QUEUE_LIMIT) return false
    // what no window can ever prepay would block everything behind it
    if (postageUnits > this.#channel.windowUnits) return false
    return this.#stopped === undefined || this.#queuedUnits + postageUnits <= this.creditUnits
  }

  /**
   * Sends our HELLO and answers the relay's. Rejects with `NETWORK_CLOSED` when the link ends; how
   * long to wait is the caller's to decide.
   */
  async handshake(hello: Hello): Promise<Hello> {
    this.#writer.write({ type: 'hello', body: encodeHello(hello) })
    return await this.#hello.promise
  }

  /**
   * Starts to pay from this channel; a later call (after a top-up, or to try again) replaces its
   * figures. A link pays from one channel and epoch: `VALIDATION_FAILED` for another.
   */
  fund(channel: PayerChannel): void {
    const before = this.#channel
    if (!before) this.#prepaid = newPrepaid(channel.signedBase)
    else if (!equalBytes(before.channelId, channel.channelId) || before.epoch !== channel.epoch) {
      throw new MainframeError('VALIDATION_FAILED', 'Another channel or epoch needs a new link')
    } else if (before.signedBase > channel.signedBase) channel.signedBase = before.signedBase
    this.#channel = channel
    this.#stopped = undefined
    this.#pump()
  }

  /** Takes a shipment to send when credit and peer allow; false when there is no room for it. */
  enqueue(shipment: S): boolean {
    if (!this.canTake(shipment.postageUnits)) return false
    this.#queue.push(shipment)
    this.#queuedUnits += shipment.postageUnits
    this.#pump()
    return true
  }

  /** Asks for packets of a prefix; replaces an earlier wish on this link. */
  subscribe(wish: Subscribe): void {
    this.#writer.write({ type: 'subscribe', body: encodeSubscribe(wish) })
  }

  /**
   * Asks the relay for the end of a channel, with a body of `releaseRequest`; nothing is signed on this
   * link any more. Rejects with `NETWORK_CLOSED` when the link ends before the answer, which may have
   * been given; `VALIDATION_FAILED` while another request waits.
   */
  async release(body: Uint8Array): Promise<ReleaseAnswer> {
    if (this.#isClosed) throw linkEnded()
    if (this.#releasing) {
      throw new MainframeError('VALIDATION_FAILED', 'Another release was asked for on this link')
    }
    this.#releaseSequence += 1
    this.#releasing = Promise.withResolvers<ReleaseAnswer>()
    this.#writer.write({ type: 'release', sequence: this.#releaseSequence, body })
    return await this.#releasing.promise
  }

  /** Says BYE after what was written, then ends the stream; a peer that does not read is cut off. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#end()
    this.#writer.write({ type: 'bye' })
    const cutOff = new MainframeError('NETWORK_TIMEOUT', 'The relay does not read')
    const timer = setTimeout(() => this.#stream.abort(cutOff), CLOSE_TIMEOUT_MS)
    await this.#writer.idle()
    await this.#stream.close().catch(() => {}) // the stream may have failed meanwhile
    clearTimeout(timer)
  }

  /** Ends the link at once. */
  abort(reason: MainframeError): void {
    if (this.#isClosed) return
    this.#end()
    this.#writer.close()
    this.#stream.abort(reason)
  }

  async #read(): Promise<void> {
    try {
      for await (const frames of readFrames(this.#stream)) {
        for (const frame of frames) {
          if (this.#isClosed || frame?.type === 'bye') return
          if (!frame || !this.#onFrame(frame)) {
            this.abort(new MainframeError('NETWORK_CLOSED', 'The relay broke the link protocol'))
            return
          }
        }
        this.#pump()
        const room = this.#handlers.whenRoom?.()
        if (room) await room
      }
    } catch {
      // The stream failed: the same end as a peer that went away.
    } finally {
      await this.#onEndOfStream()
    }
  }

  async #onEndOfStream(): Promise<void> {
    if (this.#isClosed) return
    this.#end()
    this.#writer.close()
    await this.#stream.close().catch(() => {}) // it has failed or is closed already
  }

  /** False when the frame is not one that a relay may send. */
  #onFrame(frame: Frame): boolean {
    switch (frame.type) {
      case 'hello': {
        const hello = decodeHello(frame.body)
        if (hello) this.#hello.resolve(hello)
        return hello !== undefined
      }
      case 'ack': {
        const ack = decodeAck(frame.body)
        return ack !== undefined && this.#onAck(ack)
      }
      case 'deliver':
        if (frame.flags & CAUGHT_UP_FLAG) this.#handlers.onCaughtUp?.(frame.sequence)
        else this.#handlers.onDeliver?.(frame.body, frame.sequence)
        return true
      case 'release':
        return this.#onReleased(frame)
      default:
        return false
    }
  }

  #onReleased({ sequence, body }: Frame): boolean {
    const answer = decodeReleaseAnswer(body)
    const waiting = this.#releasing
    if (!answer || !waiting || sequence !== this.#releaseSequence) return false
    this.#releasing = undefined
    waiting.resolve(answer)
    return true
  }

  #onAck(ack: Ack): boolean {
    if (ack.processed > this.#sequence || ack.creditSequence > this.#creditsSent) return false
    const reasons = new Map(ack.refused.map(({ sequence, reason }) => [sequence, reason]))
    const done = this.#inFlight.findIndex(({ sequence }) => sequence > ack.processed)
    const processed = this.#inFlight.splice(0, done === -1 ? this.#inFlight.length : done)
    this.#onTotals(ack)
    for (const { shipment, sequence } of processed) {
      this.#prepaid.inFlightUnits -= shipment.postageUnits
      const reason = reasons.get(sequence)
      if (reason) {
        this.#prepaid.shippedUnits -= shipment.postageUnits // nothing is owed for it
        this.#handlers.onRefused?.(shipment, reason)
      } else this.#handlers.onAccepted?.(shipment)
    }
    return true
  }

  /** Before the relay took a voucher on this link, its totals are not of our channel. */
  #onTotals({ credit, creditSequence, spentUnits, durableUnits }: Ack): void {
    if (creditSequence > 0 && credit === 'accepted') this.#prepaid.synchronised = true
    if (this.#prepaid.synchronised) Object.assign(this.#prepaid, { spentUnits, durableUnits })
    // An answer to an older voucher says nothing about the one that is under way.
    if (this.#pendingUnits === undefined || creditSequence < this.#creditSequence) return
    if (credit !== 'accepted') this.#stop(credit)
    else if (durableUnits >= this.#pendingUnits) {
      this.#pendingUnits = undefined
      this.#handlers.onCredit?.()
    }
  }

  #stop(reason: CreditStop): void {
    this.#pendingUnits = undefined
    if (this.#stopped === reason) return
    this.#stopped = reason
    this.#handlers.onCreditStopped?.(reason)
  }

  #pump(): void {
    if (this.#isClosed) return
    while (this.#writer.waiting < WRITER_LIMIT && this.#inFlight.length < IN_FLIGHT_LIMIT) {
      const next = this.#queue[0]
      if (!next || next.postageUnits > this.creditUnits) break
      this.#queue.shift()
      this.#queuedUnits -= next.postageUnits
      this.#ship(next)
    }
    this.#pay()
  }

  #ship(shipment: S): void {
    const { packet, postageUnits, level } = shipment
    this.#sequence += 1
    const sequence = this.#sequence
    this.#inFlight.push({ shipment, sequence })
    this.#prepaid.inFlightUnits += postageUnits
    this.#prepaid.shippedUnits += postageUnits
    this.#writer.write({ type: 'packet', sequence, level, postageUnits, body: packet })
  }

  /** Signs the next voucher if one is due; one at a time is under way. */
  #pay(): void {
    const channel = this.#channel
    if (!channel || this.#pendingUnits !== undefined || this.#stopped || this.#isClosed) return
    if (this.#releaseSequence > 0) return
    const nextUnits = this.#queue[0]?.postageUnits ?? 0
    const windowUnits = earnedWindow(this.#prepaid, channel.windowUnits, nextUnits)
    if (!wantsVoucher(this.#prepaid, windowUnits, nextUnits)) return
    const amount = nextAmount(this.#prepaid, { ...channel, windowUnits })
    if (typeof amount === 'string') this.#stop(amount)
    else void this.#sendVoucher(channel, amount)
  }

  async #sendVoucher(channel: PayerChannel, amount: bigint): Promise<void> {
    this.#creditSequence += 1
    const sequence = this.#creditSequence
    this.#pendingUnits = countableUnits(amount, channel.baseUnitsPerUnit)
    channel.signedBase = amount
    try {
      await channel.record(amount)
      // what a next link reads from the record must be all that ever left
      if (this.#isClosed) return
      this.#creditsSent = sequence
      const body = voucherBody(channel, amount)
      this.#writer.write({ type: 'credit', sequence, body })
    } catch {
      this.abort(new MainframeError('INTERNAL', 'A signed amount could not be recorded'))
    }
  }

  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const unacknowledged = [...this.#inFlight.map(({ shipment }) => shipment), ...this.#queue]
    this.#inFlight = []
    this.#queue = []
    this.#hello.reject(linkEnded())
    this.#releasing?.reject(linkEnded())
    this.#handlers.onClosed?.(unacknowledged)
    this.#closed.resolve()
  }
}

function linkEnded(): MainframeError {
  return new MainframeError('NETWORK_CLOSED', 'The link ended', { retryable: true })
}
