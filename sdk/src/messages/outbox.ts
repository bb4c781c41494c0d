/** Messages and acknowledgements on their way out, sent again until they arrive or are given up. */
import { type Hex, MainframeError, toHex } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Experience } from '../directory/experience.ts'
import type { Random } from '../random.ts'
import { AcknowledgementQueue } from './acknowledgement-queue.ts'
import { isFull } from './bitmap.ts'
import { Echoes } from './echoes.ts'
import {
  type OutgoingFragment,
  OutgoingMessage,
  type OutgoingOptions,
  undelivered,
} from './outgoing.ts'
import { avoiding, HOPELESS, type Parcel, type ParcelRefusal, type ParcelSource } from './parcel.ts'
import type { Acknowledgement } from './payload.ts'
import type { OutgoingAcknowledgement } from './personal.ts'
import { Prober } from './prober.ts'
import { judgeFragments, probesOf, type RetryTimes, retryWaitMs } from './retry.ts'
import { Room } from './room.ts'

export interface OutboxOptions {
  clock: Clock
  random: Random
  experience: Experience
  /** Inbox public key to which acknowledgements are asked. */
  replyTo: Uint8Array
  times: RetryTimes
  /** How acknowledgements travel. */
  carriage: Pick<Parcel, 'holdClass' | 'hops' | 'delayMs'>
  /** How long a relay that failed a test is not tested again. */
  restMs: number
  /** Bytes of messages that may be on their way; {@link Outbox.send} waits for room. */
  limitBytes?: number
  /** There is something to send. */
  onWork(): void
  /** Nothing that was sent lately came through, whatever its way. */
  onNothingBack(): void
  /** The entry relay says that postage is short: the prices may have changed. */
  onUnderpaid(): void
}

/** Sixteen of the longest messages. */
const LIMIT_BYTES = 16 * 1024 * 1024
/** Wait after a refusal, doubled with each one in a row. */
const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 10_000
/** A loop is given up after this many of the silences that count. */
const LOOP_WAITS = 3
/**
 * How probable it was to hear of a packet, had every hop passed it on: nearly certain when the
 * recipient reports what else has come; else he may be away, or his answer lost.
 */
const WHEN_REPORTED = 0.98
const WHEN_SILENT = 0.5
/** Silences that count: the more of them, the more it is the recipient who is away. */
const MOST_BLAMES = 3

export class Outbox implements ParcelSource {
  readonly #options: OutboxOptions
  readonly #acknowledgements: AcknowledgementQueue
  readonly #prober: Prober
  readonly #echoes: Echoes
  /** In turn: the one that is served goes to the end. */
  readonly #messages = new Map<string, OutgoingMessage>()
  readonly #room: Room
  #closed: MainframeError | undefined

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#room = new Room(options.limitBytes ?? LIMIT_BYTES)
    const { replyTo: self, times, restMs } = options
    const patienceMs = LOOP_WAITS * times.quietMs
    this.#prober = new Prober({ ...options, self, patienceMs, restMs })
    this.#echoes = new Echoes({ ...options, prober: this.#prober, patienceMs })
    const onLost = (path: readonly Hex[]) => this.#prober.doubt(path)
    this.#acknowledgements = new AcknowledgementQueue({ ...options, onLost })
  }

  /** Messages that are neither delivered nor given up. */
  get count(): number {
    return this.#messages.size
  }

  /** Whether no acknowledgement waits to be sent. */
  get hasAnswered(): boolean {
    return this.#acknowledgements.isEmpty
  }

  /**
   * Takes a message as soon as there is room for it. Throws the reason of {@link close}, and
   * `VALIDATION_FAILED` while another message of that id is on its way.
   */
  async send(options: OutgoingOptions): Promise<OutgoingMessage> {
    await this.#room.take(options.bytes.length)
    if (this.#closed) throw this.#closed
    const message = new OutgoingMessage(options)
    if (this.#messages.has(message.key)) {
      this.#room.give(options.bytes.length)
      throw new MainframeError('VALIDATION_FAILED', 'A message of this id is on its way already')
    }
    this.#messages.set(message.key, message)
    const leftMs = Math.max(0, options.deadlineMs - this.#options.clock.now())
    message.cancelDeadline = this.#options.clock.after(leftMs, () => {
      const what = options.group ? 'taken by an entry relay' : 'acknowledged'
      message.fail(undelivered(message, `The message was not ${what} in time`))
    })
    void message.whenOver.then(() => this.#remove(message))
    this.#options.onWork()
    return message
  }

  acknowledge(acknowledgement: OutgoingAcknowledgement): void {
    if (this.#closed) return
    this.#acknowledgements.push(acknowledgement)
    this.#options.onWork()
  }

  next(): Parcel | undefined {
    const first = this.#acknowledgements.next() ?? this.#prober.next()
    if (first) return first
    const nowMs = this.#options.clock.now()
    for (const [key, message] of this.#messages) {
      if (message.pausedUntilMs > nowMs) continue
      const index = message.next()
      if (index === undefined) continue
      this.#messages.delete(key)
      this.#messages.set(key, message)
      return this.#parcelOf(message, index)
    }
    return undefined
  }

  onAcknowledgement({ messageId, count, received }: Acknowledgement): void {
    const message = this.#messages.get(toHex(messageId).slice(2))
    if (!message || message.options.count !== count || message.options.group) return
    const { clock, times, experience } = this.#options
    const nowMs = clock.now()
    const settled = nowMs - times.quietMs
    const { arrived, lost } = judgeFragments(message.fragments, received, settled)
    for (const index of arrived) {
      experience.arrived(message.fragments[index]?.path ?? [], nowMs, 1)
      message.onArrived(index)
    }
    if (arrived.length > 0) this.#prober.onArrival()
    if (isFull(received, count)) {
      message.deliver()
      return
    }
    for (const index of lost) {
      this.#blame(message.fragments[index]?.path ?? [], WHEN_REPORTED)
      message.requeue(index)
    }
    if (arrived.length > 0) {
      message.attempt = 0
      message.report()
    }
    this.#arm(message)
    if (lost.length > 0) this.#options.onWork()
  }

  onLoop(token: Uint8Array): void {
    this.#prober.onLoop(token)
  }

  /** A fragment of a message that we sent to a group has come back to us, who listen there too. */
  onEcho(messageKey: string, index: number): void {
    const message = this.#messages.get(messageKey)
    if (message?.options.group) this.#echoes.onEcho(message, index)
  }

  /** Gives all messages up, with one reason. */
  failAll(error: unknown): void {
    for (const message of [...this.#messages.values()]) message.fail(error)
  }

  close(reason: MainframeError): void {
    this.#closed = reason
    this.failAll(reason)
    this.#acknowledgements.clear()
    this.#prober.close()
    this.#room.open()
  }

  #remove(message: OutgoingMessage): void {
    if (this.#messages.delete(message.key)) this.#room.give(message.options.bytes.length)
  }

  #parcelOf(message: OutgoingMessage, index: number): Parcel {
    const { to, group, holdClass, hops, delayMs } = message.options
    const fragment = message.fragments[index] as OutgoingFragment
    fragment.state = 'shipped'
    const { replyTo, clock } = this.#options
    return {
      to,
      address: group?.address,
      message: message.instruction(index, replyTo),
      holdClass,
      hops,
      delayMs,
      bias: avoiding(fragment.path),
      shipped: (path) => {
        fragment.path = path
      },
      accepted: () => {
        message.onAccepted(index, clock.now())
        this.#arm(message)
      },
      refused: (reason) => this.#onRefused(message, index, reason),
      returned: () => {
        if (fragment.state === 'shipped') message.requeue(index)
      },
    }
  }

  #onRefused(message: OutgoingMessage, index: number, reason: ParcelRefusal): void {
    const hopeless = HOPELESS[reason]
    if (hopeless) {
      message.fail(undelivered(message, hopeless))
      return
    }
    if (reason === 'underpaid') this.#options.onUnderpaid()
    if (message.fragments[index]?.state === 'shipped') message.requeue(index)
    const waitMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** message.refusals)
    message.refusals += 1
    this.#pause(message, waitMs)
  }

  #pause(message: OutgoingMessage, waitMs: number): void {
    const { clock, onWork } = this.#options
    message.pausedUntilMs = clock.now() + waitMs
    message.cancelTimer()
    message.cancelTimer = clock.after(waitMs, onWork)
  }

  /** Waits for an answer once everything is on its way. */
  #arm(message: OutgoingMessage): void {
    if (message.isOver || !message.isSettled) return
    if (message.options.group) {
      this.#echoes.await(message)
      return
    }
    const { clock, times, random } = this.#options
    message.cancelTimer()
    const waitMs = retryWaitMs(times, message.attempt + 1, random)
    message.cancelTimer = clock.after(waitMs, () => this.#retry(message))
  }

  #blame(path: readonly Hex[], certainty: number): void {
    this.#options.experience.lost(path, this.#options.clock.now(), certainty)
    this.#prober.doubt(path)
  }

  #retry(message: OutgoingMessage): void {
    if (!message.isSettled) return // an acknowledgement set something going meanwhile
    const { random, onWork } = this.#options
    message.attempt += 1
    const states = message.fragments.map(({ state }) => state)
    for (const index of probesOf(states, random)) {
      const { path = [] } = message.fragments[index] ?? {}
      if (message.attempt <= MOST_BLAMES) this.#blame(path, WHEN_SILENT)
      else this.#prober.doubt(path)
      message.requeue(index)
    }
    onWork()
  }
}
