/** Delivery of held packets to subscribers (PROTOCOL.md §7). */
import { setImmediate } from 'node:timers/promises'
import {
  CAUGHT_UP_FLAG,
  type FrameFields,
  type MainframeError,
  type Subscribe,
} from '@mainframe/protocol'
import type { HoldStore } from './hold-store.ts'

/** The writing half of a link. */
export interface DeliveryWriter {
  /** Frames that wait for the peer. */
  readonly waiting: number
  write(frame: FrameFields): void
  /** Resolves when nothing waits. */
  idle(): Promise<void>
}

/** Frames that wait for a slow subscriber at most; the rest stays on disk. */
const WRITER_LIMIT = 32

/** One subscriber: a wish and a cursor, and nothing that grows. */
export class Subscription {
  readonly #holds: Pick<HoldStore, 'next' | 'highestCursor'>
  readonly #writer: DeliveryWriter
  readonly #onFailure: (error: MainframeError) => void
  #wish: Subscribe
  #caughtUp = false
  #running = false
  #wanted = false
  #stopped = false

  constructor(options: {
    holds: Pick<HoldStore, 'next' | 'highestCursor'>
    writer: DeliveryWriter
    wish: Subscribe
    onFailure(error: MainframeError): void
  }) {
    this.#holds = options.holds
    this.#writer = options.writer
    this.#onFailure = options.onFailure
    this.#wish = options.wish
    this.replace(options.wish)
  }

  /** Starts anew with another wish. A cursor that this store cannot have given counts as 0. */
  replace(wish: Subscribe): void {
    const cursor = wish.cursor > this.#holds.highestCursor ? 0 : wish.cursor
    this.#wish = { ...wish, cursor }
    this.#caughtUp = false
    this.pump()
  }

  /** Delivers what there is, as far as the subscriber reads. */
  pump(): void {
    this.#wanted = true
    if (this.#running || this.#stopped) return
    this.#running = true
    void this.#run().catch((error: MainframeError) => this.#onFailure(error))
  }

  stop(): void {
    this.#stopped = true
  }

  async #run(): Promise<void> {
    try {
      while (this.#wanted && !this.#stopped) {
        this.#wanted = false
        do {
          // also before the frame that says it is up to date: a wish that is replaced gets another one
          if (this.#writer.waiting >= WRITER_LIMIT) await this.#writer.idle()
        } while (!this.#stopped && (await this.#deliverOne()))
      }
    } finally {
      this.#running = false // in the very turn that saw nothing wanted: no pump() falls between
    }
  }

  /** False when the end of what is held is reached. */
  async #deliverOne(): Promise<boolean> {
    const wish = this.#wish
    const { packet, cursor, more } = await this.#holds.next(wish, wish.cursor)
    if (this.#wish !== wish) return true // replaced meanwhile: this packet may not be wanted
    this.#wish = { ...wish, cursor }
    if (packet) {
      this.#writer.write({ type: 'deliver', sequence: cursor, body: packet })
      return true
    }
    if (more) {
      await setImmediate()
      return true
    }
    if (!this.#caughtUp) {
      this.#caughtUp = true
      this.#writer.write({ type: 'deliver', flags: CAUGHT_UP_FLAG, sequence: cursor })
    }
    return false
  }
}

export interface SubscriptionsOptions {
  holds: Pick<HoldStore, 'next' | 'highestCursor' | 'onHeld'>
  /** Subscribers at a time. */
  limit: number
}

/** All subscribers of a relay, woken whenever packets became durable. */
export class Subscriptions {
  readonly #holds: SubscriptionsOptions['holds']
  readonly #limit: number
  readonly #all = new Set<Subscription>()

  constructor({ holds, limit }: SubscriptionsOptions) {
    this.#holds = holds
    this.#limit = limit
    holds.onHeld(() => {
      for (const subscription of this.#all) subscription.pump()
    })
  }

  get count(): number {
    return this.#all.size
  }

  /** `undefined` when there are as many as there may be. */
  add(options: {
    wish: Subscribe
    writer: DeliveryWriter
    onFailure(error: MainframeError): void
  }): Subscription | undefined {
    if (this.#all.size >= this.#limit) return undefined
    const subscription = new Subscription({ holds: this.#holds, ...options })
    this.#all.add(subscription)
    return subscription
  }

  remove(subscription: Subscription): void {
    subscription.stop()
    this.#all.delete(subscription)
  }
}
