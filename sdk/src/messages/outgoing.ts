/** One message on its way: its fragments, what became of them, and the promises of its sender. */
import { type Hex, type HoldClass, MainframeError, type Message, toHex } from '@mainframe/protocol'
import { fragmentMessage, publicationMessage } from './payload.ts'
import type { Answered, FragmentState } from './retry.ts'

/**
 * `queued`: not all with the entry relay yet; `accepted`: all are, with which a message for a group is
 * over; `delivered`: acknowledged.
 */
export type SendState = 'queued' | 'accepted' | 'delivered' | 'failed'

/** How far a message is; counts of fragments. */
export interface SendProgress {
  state: SendState
  packets: number
  accepted: number
  arrived: number
}

/** The inbox of a group: nobody there acknowledges anything. */
export interface GroupDestination {
  /** 32 bytes; no hash of a key. */
  address: Uint8Array
  /** Whether this client listens there itself, so that what it sends comes back to it. */
  isEchoed: boolean
}

/** What was asked for. */
export interface OutgoingOptions {
  /** Inbox public key of the recipient. */
  to: Uint8Array
  group?: GroupDestination | undefined
  bytes: Uint8Array
  messageId: Uint8Array
  count: number
  holdClass: HoldClass
  hops: number
  delayMs: number
  /** When to give up, in milliseconds since the Unix epoch. */
  deadlineMs: number
  onProgress: ((progress: SendProgress) => void) | undefined
}

/** A fragment and the way it went last. */
export interface OutgoingFragment extends Answered {
  state: FragmentState
  /** Whether the entry relay took it at least once. */
  wasAccepted: boolean
  /** Hops of its last packet. */
  path: readonly Hex[]
}

export class OutgoingMessage {
  readonly options: OutgoingOptions
  readonly key: string
  readonly fragments: OutgoingFragment[]
  /** Indices to send, the first first. */
  readonly queue: number[]
  /** Fragments that the entry relay took at least once, and those that arrived. */
  accepted = 0
  arrived = 0
  /** Retries since the last sign of the recipient. */
  attempt = 0
  /** Refusals of the entry relay in a row. */
  refusals = 0
  pausedUntilMs = 0
  cancelTimer: () => void = () => {}
  cancelDeadline: () => void = () => {}
  readonly #accepted = Promise.withResolvers<void>()
  readonly #delivered = Promise.withResolvers<void>()
  readonly #over = Promise.withResolvers<void>()
  #state: SendState = 'queued'
  #isFinished = false

  constructor(options: OutgoingOptions) {
    this.options = options
    this.key = toHex(options.messageId).slice(2)
    this.fragments = Array.from({ length: options.count }, () => ({
      state: 'queued',
      acceptedAtMs: 0,
      wasAccepted: false,
      path: [],
    }))
    this.queue = [...this.fragments.keys()]
    // Nobody has to look at both.
    this.#accepted.promise.catch(() => {})
    this.#delivered.promise.catch(() => {})
  }

  get state(): SendState {
    return this.#state
  }

  get isOver(): boolean {
    return this.#isFinished
  }

  /** Resolves when nothing more will be done about the message, for whatever reason. */
  get whenOver(): Promise<void> {
    return this.#over.promise
  }

  /** Resolves when the entry relay has taken every packet once. */
  get whenAccepted(): Promise<void> {
    return this.#accepted.promise
  }

  /** Resolves when the recipient has acknowledged the whole message. */
  get whenDelivered(): Promise<void> {
    return this.#delivered.promise
  }

  get progress(): SendProgress {
    const { accepted, arrived, options, state } = this
    return { state, packets: options.count, accepted, arrived }
  }

  /** Whether nothing waits to be sent or for the entry relay. */
  get isSettled(): boolean {
    return this.fragments.every(({ state }) => state === 'accepted' || state === 'arrived')
  }

  /** The next fragment that still wants to be sent: some arrived while they waited. */
  next(): number | undefined {
    for (;;) {
      const index = this.queue.shift()
      if (index === undefined) return undefined
      if (this.fragments[index]?.state === 'queued') return index
    }
  }

  /** What a fragment's packet carries. */
  instruction(index: number, replyTo: Uint8Array): Message {
    const { messageId, bytes, group } = this.options
    if (group) return publicationMessage({ messageId, bytes, index })
    return fragmentMessage({ messageId, replyTo, bytes, index })
  }

  requeue(index: number): void {
    const fragment = this.fragments[index]
    if (!fragment || this.isOver) return
    if (fragment.state === 'arrived') this.arrived -= 1
    fragment.state = 'queued'
    this.queue.push(index)
  }

  onAccepted(index: number, nowMs: number): void {
    const fragment = this.fragments[index]
    if (!fragment || this.isOver) return
    // An acknowledgement may have come before the entry relay's.
    if (fragment.state === 'shipped') fragment.state = 'accepted'
    fragment.acceptedAtMs = nowMs
    this.refusals = 0
    if (fragment.wasAccepted) return
    fragment.wasAccepted = true
    this.accepted += 1
    if (this.accepted === this.options.count) this.#becomeAccepted()
    this.report()
  }

  onArrived(index: number): void {
    const fragment = this.fragments[index]
    if (!fragment || fragment.state === 'arrived') return
    fragment.state = 'arrived'
    this.arrived += 1
  }

  deliver(): void {
    if (this.isOver) return
    this.#becomeAccepted() // the recipient has it, whatever the entry relay said
    this.#state = 'delivered'
    this.#stop()
    this.#delivered.resolve()
    this.report()
  }

  /** The end of a message for a group, which nobody acknowledges. */
  finish(): void {
    if (this.isOver) return
    this.#becomeAccepted()
    this.#stop()
    this.report()
  }

  fail(error: unknown): void {
    if (this.isOver) return
    // what a group's message still waits for is no part of its delivery
    if (this.options.group && this.#state === 'accepted') {
      this.finish()
      return
    }
    this.#state = 'failed'
    this.#stop()
    this.#accepted.reject(error)
    this.#delivered.reject(error)
    this.report()
  }

  report(): void {
    try {
      this.options.onProgress?.(this.progress)
    } catch {
      // The application's own fault, in a callback that only informs it.
    }
  }

  #becomeAccepted(): void {
    if (this.#state === 'queued') this.#state = 'accepted'
    this.#accepted.resolve()
  }

  #stop(): void {
    this.#isFinished = true
    this.#over.resolve()
    this.queue.length = 0
    this.cancelTimer()
    this.cancelDeadline()
  }
}

/** The error of a message that was given up. */
export function undelivered(message: OutgoingMessage, reason: string): MainframeError {
  const { packets, accepted, arrived } = message.progress
  return new MainframeError('MESSAGE_UNDELIVERED', `${reason}; send it again if it still matters`, {
    details: { messageId: message.key, packets, accepted, arrived },
  })
}
