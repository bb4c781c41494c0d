/** How long our channels were of no use. */
import type { ChannelRow, Hex } from '@mainframe/protocol'
import { fetchHeader } from '../chain/headers.ts'
import type { Rpc } from '../chain/rpc.ts'

/** After a start links need time to come up before a channel counts as unused. */
const GRACE_MS = 3_600_000

/**
 * A channel is idle when neither a link was paid by it since this process began, nor the chain told
 * anything of it, for so long. Nothing is kept on disk: a channel in use is claimed from now and then.
 */
export class Idleness {
  readonly #rpc: Rpc
  readonly #idleMs: number
  readonly #startedMs = Date.now()
  readonly #usedMs = new Map<Hex, number>()
  /** Unix milliseconds of blocks, by number. */
  #blockMs = new Map<number, number>()

  constructor(rpc: Rpc, idleMs: number) {
    this.#rpc = rpc
    this.#idleMs = idleMs
  }

  /** Takes down what is in use now; forgets what is not among our channels any more. */
  note(used: Iterable<Hex>, rows: readonly ChannelRow[]): void {
    for (const id of used) this.#usedMs.set(id, Date.now())
    const ids = new Set(rows.map(({ channelId }) => channelId))
    for (const id of this.#usedMs.keys()) if (!ids.has(id)) this.#usedMs.delete(id)
    const blocks = new Set(rows.map(({ updatedBlock }) => updatedBlock))
    this.#blockMs = new Map([...this.#blockMs].filter(([number]) => blocks.has(number)))
  }

  /**
   * Compares the chain's times with each other, `headMs` being its newest block's. Asks it only where
   * nothing else says that the channel is in use. Errors as `fetchHeader`.
   */
  async isIdle({ channelId, updatedBlock }: ChannelRow, headMs: number): Promise<boolean> {
    const nowMs = Date.now()
    if (nowMs - this.#startedMs < Math.min(this.#idleMs, GRACE_MS)) return false
    if (nowMs - (this.#usedMs.get(channelId) ?? 0) < this.#idleMs) return false
    return headMs - (await this.#timeOf(updatedBlock)) >= this.#idleMs
  }

  async #timeOf(block: number): Promise<number> {
    const known = this.#blockMs.get(block)
    if (known !== undefined) return known
    const timeMs = 1_000 * (await fetchHeader(this.#rpc, block)).time
    this.#blockMs.set(block, timeMs)
    return timeMs
  }
}
