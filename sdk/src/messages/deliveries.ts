/** Handing complete messages to the application, one at a time and at least once. */
import type { Clock } from '../clock.ts'

/** A message as the application gets it. */
export interface ReceivedMessage {
  /** The sender's random id, 16 bytes in hex. */
  id: string
  /**
   * Contact code for an answer, **as the sender claims**: anybody could have written any code here.
   * Who writes is known in conversations (docs/messenger.md).
   */
  from: string
  bytes: Uint8Array
  /** Packets that the message took. */
  packets: number
}

/** A message of a group as the layer above gets it. */
export interface PublishedMessage {
  /** The publisher's random id, 16 bytes in hex. */
  id: string
  bytes: Uint8Array
  /** Packets that the message took. */
  packets: number
}

/** Resolve when the message is dealt with: only then is it acknowledged. Reject to get it again. */
export type MessageHandler<M = ReceivedMessage> = (message: M) => Promise<void> | void

/** Waits between attempts of a handler that rejects. */
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000

/** A message that waits for its handler. */
export interface Delivery<M> {
  /** Made when a handler wants it. */
  message(): M
  /** Called once, after every handler has resolved. */
  done(): Promise<void>
}

export interface DeliveriesOptions {
  clock: Clock
  /** A handler rejected; the message is tried again. */
  onHandlerError(error: unknown): void
}

export class Deliveries<M> {
  readonly #options: DeliveriesOptions
  readonly #handlers = new Set<MessageHandler<M>>()
  readonly #timers = new Set<() => void>()
  #waiting: { delivery: Delivery<M>; attempt: number }[] = []
  #running = false
  #closed = false

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  /** Adds a handler; messages wait until there is one. Returns how to remove it. */
  handle(handler: MessageHandler<M>): () => void {
    this.#handlers.add(handler)
    void this.#run()
    return () => void this.#handlers.delete(handler)
  }

  push(delivery: Delivery<M>): void {
    this.#queue({ delivery, attempt: 0 })
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#timers) cancel()
  }

  #queue(entry: { delivery: Delivery<M>; attempt: number }): void {
    this.#waiting.push(entry)
    void this.#run()
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#handlers.size > 0 && !this.#closed) {
        const next = this.#waiting.shift()
        if (!next) return
        await this.#deliver(next)
      }
    } finally {
      this.#running = false
    }
  }

  async #deliver({ delivery, attempt }: { delivery: Delivery<M>; attempt: number }): Promise<void> {
    try {
      const message = delivery.message()
      for (const handler of [...this.#handlers]) await handler(message)
      await delivery.done()
    } catch (error) {
      this.#options.onHandlerError(error)
      this.#retryLater({ delivery, attempt: attempt + 1 })
    }
  }

  #retryLater(entry: { delivery: Delivery<M>; attempt: number }): void {
    if (this.#closed) return
    const waitMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (entry.attempt - 1))
    const cancel = this.#options.clock.after(waitMs, () => {
      this.#timers.delete(cancel)
      this.#queue(entry)
    })
    this.#timers.add(cancel)
  }
}
