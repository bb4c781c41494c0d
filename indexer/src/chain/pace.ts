import { setTimeout as sleep } from 'node:timers/promises'

/** How fast a back-end is asked, at most and, after it said "too often", at least, per second. */
export interface PaceOptions {
  requestsPerSecond: number
  signal: AbortSignal
}

/** Never slower than this: an RPC that allows less cannot be followed. */
const MIN_PER_SECOND = 1
/** What a second of the bucket's tokens may be spent at once. */
const BURST_SECONDS = 1
/** A rate that was halved comes back by this much with every answer. */
const RECOVERY = 1.1

/**
 * A token bucket for one back-end: {@link Pace.turn} resolves when the next request may go out.
 * {@link Pace.slowDown} halves the rate, answers raise it again.
 */
export class Pace {
  readonly #options: PaceOptions
  #perSecond: number
  /** The moment at which the bucket would be full, in milliseconds of `performance.now`. */
  #fullAt = 0

  constructor(options: PaceOptions) {
    this.#options = options
    this.#perSecond = options.requestsPerSecond
  }

  /** Requests per second that are allowed now. */
  get perSecond(): number {
    return this.#perSecond
  }

  async turn(): Promise<void> {
    const now = performance.now()
    const burstMs = BURST_SECONDS * 1_000
    this.#fullAt = Math.max(this.#fullAt, now) + 1_000 / this.#perSecond
    const waitMs = this.#fullAt - now - burstMs
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.#options.signal })
  }

  /** The back-end was asked too often: half as fast from now on, and not at all for `waitMs`. */
  slowDown(waitMs: number): void {
    this.#perSecond = Math.max(MIN_PER_SECOND, this.#perSecond / 2)
    // an emptied bucket, so that the burst does not go on at once
    this.#fullAt = Math.max(this.#fullAt, performance.now() + BURST_SECONDS * 1_000 + waitMs)
  }

  speedUp(): void {
    this.#perSecond = Math.min(this.#options.requestsPerSecond, this.#perSecond * RECOVERY)
  }
}
