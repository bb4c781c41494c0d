/** Copies that could not be sent yet: retried as ordinary paid packets until expiry (PROTOCOL.md §6). */
import { randomInt } from 'node:crypto'
import { minutesNow, type PacketHeader } from '@mainframe/protocol'
import type { Copy } from './spread.ts'

/** A copy that this relay owes and was paid for. */
export interface OwedCopy {
  packet: Uint8Array
  header: PacketHeader
  copy: Copy
  attempts: number
  dueMs: number
  /** Peer that failed last; the others of the bin go first. */
  failedPeer?: string
}

export interface OutboxOptions {
  /** Copies that wait at most; 2 kB each, less where they share a packet. */
  capacity: number
  /** Tries to send; a copy that cannot be sent is handed to {@link Outbox.keep} again. */
  retry(owed: OwedCopy): void
  now?: () => number
  /** A number in 0..n-1. */
  random?: (n: number) => number
}

const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 5 * 60_000
/** How often due copies are looked for while any wait. */
const TICK_MS = 500

export class Outbox {
  readonly #options: Required<OutboxOptions>
  readonly #waiting = new Set<OwedCopy>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: OutboxOptions) {
    this.#options = { now: Date.now, random: randomInt, ...options }
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Keeps a copy for later; false when it is too late for it or there is no room. */
  keep(owed: OwedCopy): boolean {
    const now = this.#options.now()
    if (owed.header.expiryMinutes <= minutesNow(now)) return false
    if (this.#waiting.size >= this.#options.capacity) return false
    owed.dueMs = now + this.#backOffMs(owed.attempts)
    owed.attempts += 1
    this.#waiting.add(owed)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
    return true
  }

  /** A link to this peer works again: what waits for it goes now. */
  wake(peerKey: string): void {
    const now = this.#options.now()
    for (const owed of this.#waiting) {
      if (owed.copy.relays.some((relay) => relay.peerKey === peerKey)) owed.dueMs = now
    }
    this.#tick()
  }

  clear(): void {
    this.#waiting.clear()
    this.#rest()
  }

  #tick(): void {
    const now = this.#options.now()
    const due = [...this.#waiting].filter(({ dueMs }) => dueMs <= now)
    for (const owed of due) {
      this.#waiting.delete(owed)
      this.#options.retry(owed)
    }
    if (this.#waiting.size === 0) this.#rest()
  }

  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Doubles up to five minutes; the half that is random keeps relays from retrying in step. */
  #backOffMs(attempts: number): number {
    const whole = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20))
    return whole / 2 + this.#options.random(whole / 2 + 1)
  }
}
