/** Showing commits again to members who seem to lack them. Their bytes stay the same. */
import { exponential } from '../random.ts'
import { type Core, publishBytes } from './core.ts'

/** Most commits that are shown at a time. */
const MOST_SHOWN = 8

export class Shows {
  readonly #core: Core
  /** When a commit was seen last, and how often it was shown. */
  readonly #seen = new Map<string, { atMs: number; times: number }>()
  #after: number | undefined
  #wantedAtMs = 0
  #stop: (() => void) | undefined

  constructor(core: Core) {
    this.#core = core
  }

  /** A commit went over the network, so nobody needs to show it for a while. */
  saw(epochId: string): void {
    const times = this.#seen.get(epochId)?.times ?? 0
    this.#seen.set(epochId, { atMs: this.#core.ports.clock.now(), times })
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > 256 && oldest !== undefined) this.#seen.delete(oldest)
  }

  /** Somebody seems to stand at the epoch of that number and to know no later one. */
  want(after: number): void {
    const { ports, serial } = this.#core
    this.#after = Math.min(this.#after ?? after, after)
    if (this.#stop) return
    this.#wantedAtMs = ports.clock.now()
    const { showMs } = ports.times
    const waitMs = exponential(showMs, 8 * showMs, ports.random)
    this.#stop = serial.later(waitMs, () => this.#show())
  }

  async #show(): Promise<void> {
    this.#stop = undefined
    const after = this.#after
    this.#after = undefined
    const { epochs, ports, serial } = this.#core
    if (after === undefined || !epochs.head) return
    const nowMs = ports.clock.now()
    let postponedMs = 0
    for (const { id, ...commit } of await epochs.commitsAfter(after, MOST_SHOWN)) {
      const { atMs = 0, times = 0 } = this.#seen.get(id) ?? {}
      const restMs = Math.min(ports.times.showMs * 2 ** times, ports.times.lastRetryMs)
      // somebody else was quicker
      if (atMs > this.#wantedAtMs) continue
      if (nowMs - atMs < restMs) {
        postponedMs = Math.max(postponedMs, atMs + restMs - nowMs)
        continue
      }
      this.#seen.set(id, { atMs: nowMs, times: times + 1 })
      void publishBytes(this.#core, commit)
    }
    if (postponedMs > 0 && !this.#stop) {
      this.#after = after
      this.#stop = serial.later(postponedMs, () => this.#show())
    }
  }
}
