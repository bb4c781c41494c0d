/** How late the event loop is: a relay that is at its limit is late before it is slow. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Lag in seconds over one interval. */
export interface Lag {
  p50: number
  p99: number
  max: number
}

/** How often a timer is set to look; the histogram counts this wait as well. */
const RESOLUTION_MS = 10
const INTERVAL_MS = 10_000

/** Measures all the time, publishes after every interval; zeros before the first has ended. */
export class LoopLag {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #timer: NodeJS.Timeout
  #published: Lag = { p50: 0, p99: 0, max: 0 }

  constructor(intervalMs = INTERVAL_MS) {
    this.#histogram.enable()
    this.#timer = setInterval(() => this.#publish(), intervalMs)
    this.#timer.unref()
  }

  get published(): Lag {
    return this.#published
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#histogram.disable()
  }

  #publish(): void {
    const histogram = this.#histogram
    const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3)
    this.#published = {
      p50: seconds(histogram.percentile(50)),
      p99: seconds(histogram.percentile(99)),
      max: seconds(histogram.max),
    }
    histogram.reset()
  }
}
