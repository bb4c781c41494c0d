/** One thing after the other, and timers that wait for their turn. */
import { MainframeError } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'

/**
 * Runs tasks of a conversation one at a time. When one fails, what is in memory may be ahead of what
 * is durable, so nothing runs afterwards until the conversation is opened again.
 */
export class Serial {
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #timers = new Set<() => void>()
  #last: Promise<unknown> = Promise.resolve()
  #stopped: unknown

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock
    this.#onError = onError
  }

  /** Rejects with `NETWORK_CLOSED` after the end, and with the error that stopped everything. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      if (this.#stopped !== undefined) throw this.#stopped
      return task()
    })
    this.#last = result.catch(() => {})
    return result
  }

  /** Like `run`, for tasks that touch what is durable: their failure stops everything. */
  async vital<T>(task: () => Promise<T>): Promise<T> {
    return this.run(async () => {
      try {
        return await task()
      } catch (error) {
        if (!isRefusal(error)) this.#stop(error)
        throw error
      }
    })
  }

  /** Runs a vital task after a while; the answer stops it. */
  later(delayMs: number, task: () => Promise<void>): () => void {
    if (this.#stopped !== undefined) return () => {}
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(cancel)
      this.vital(task).catch((error: unknown) => {
        if (!isClosed(error)) this.#onError(error)
      })
    })
    this.#timers.add(cancel)
    return () => {
      cancel()
      this.#timers.delete(cancel)
    }
  }

  /** Resolves when nothing runs or waits for its turn. */
  async settled(): Promise<void> {
    let last: unknown
    while (last !== this.#last) {
      last = this.#last
      await last
    }
  }

  /** Lets what runs come to its end; nothing runs afterwards. */
  async close(): Promise<void> {
    this.#stop(new MainframeError('NETWORK_CLOSED', 'The conversation was closed; open it again'))
    await this.settled()
  }

  #stop(reason: unknown): void {
    this.#stopped ??= reason
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }
}

/** Errors that say no before anything was changed. */
function isRefusal(error: unknown): boolean {
  return error instanceof MainframeError && REFUSALS.has(error.code)
}

const REFUSALS: ReadonlySet<string> = new Set([
  'VALIDATION_FAILED',
  'MESSAGE_TOO_LONG',
  'CRYPTO_INVALID_KEY',
  'CODEC_INVALID',
  'NETWORK_CLOSED',
])

function isClosed(error: unknown): boolean {
  return error instanceof MainframeError && error.code === 'NETWORK_CLOSED'
}
