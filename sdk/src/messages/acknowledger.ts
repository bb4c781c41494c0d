/** When acknowledgements leave: after a wait that names nobody, and never faster than a budget. */
import type { Clock } from '../clock.ts'
import { exponential, type Random } from '../random.ts'

export interface AcknowledgerOptions {
  clock: Clock
  random: Random
  /**
   * Mean of the exponential wait before an acknowledgement. A prompt one tells the relay that
   * delivered whose packet it was.
   */
  ackDelayMs: number
  /** Silence after which an incomplete message is reported. */
  quietMs: number
  /** Sends the acknowledgement of this message as things stand then. */
  send(messageKey: string): void
}

/** Acknowledgements a minute: whoever sends us packets must not empty our channel faster. */
const PER_MINUTE = 240
/** Waits longer than this many means are cut, so that every sender gets an answer. */
const LONGEST_WAIT = 10

export class Acknowledger {
  readonly #options: AcknowledgerOptions
  readonly #timers = new Map<string, { cancel: () => void; isFinal: boolean }>()
  #tokens = PER_MINUTE
  #countedAtMs: number

  constructor(options: AcknowledgerOptions) {
    this.#options = options
    this.#countedAtMs = options.clock.now()
  }

  /** The message is complete and dealt with. */
  soon(messageKey: string): void {
    this.#schedule(messageKey, { leastMs: 0, isFinal: true })
  }

  /** Its sender has not heard of it: once for all fragments that he sends again. */
  again(messageKey: string): void {
    if (this.#timers.get(messageKey)?.isFinal) return
    this.#schedule(messageKey, { leastMs: this.#options.quietMs, isFinal: true })
  }

  /** A fragment of an unfinished message came: report it unless more comes. */
  whenQuiet(messageKey: string): void {
    this.#schedule(messageKey, { leastMs: this.#options.quietMs, isFinal: false })
  }

  /** Nothing is to be said of this message any more. */
  forget(messageKey: string): void {
    this.#timers.get(messageKey)?.cancel()
    this.#timers.delete(messageKey)
  }

  close(): void {
    for (const key of [...this.#timers.keys()]) this.forget(key)
  }

  #schedule(messageKey: string, { leastMs, isFinal }: { leastMs: number; isFinal: boolean }): void {
    this.forget(messageKey)
    const { clock, random, ackDelayMs } = this.#options
    const waitMs = leastMs + exponential(ackDelayMs, LONGEST_WAIT * ackDelayMs, random)
    const run = () => {
      this.#timers.delete(messageKey)
      if (this.#takeToken()) this.#options.send(messageKey)
    }
    this.#timers.set(messageKey, { cancel: clock.after(waitMs, run), isFinal })
  }

  #takeToken(): boolean {
    const nowMs = this.#options.clock.now()
    const earned = ((nowMs - this.#countedAtMs) / 60_000) * PER_MINUTE
    this.#tokens = Math.min(PER_MINUTE, this.#tokens + earned)
    this.#countedAtMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
