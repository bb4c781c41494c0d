/** What was started, to be stopped in reverse order. */
import type { Logger } from './log.ts'

interface Closer {
  name: string
  close(): void | Promise<void>
}

export class Closers {
  readonly #log: Logger
  readonly #closers: Closer[] = []
  #closing: Promise<void> | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  add(name: string, close: Closer['close']): void {
    this.#closers.push({ name, close })
  }

  /** Stops everything; one that fails is logged and does not keep the others from it. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    for (let next = this.#closers.pop(); next; next = this.#closers.pop()) {
      try {
        await next.close()
      } catch (error) {
        this.#log.error({ err: error, part: next.name }, 'A part of the relay did not stop well')
      }
    }
  }
}
