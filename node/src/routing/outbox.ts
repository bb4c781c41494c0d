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
/** The shortest that setTimeout waits. */
const NEXT_TURN_MS = 1
/** What one turn of the event loop looks at, in relays compared: a millisecond or two. */
const WORK_PER_TURN = 100_000
/** What a retry costs beside: so that a turn makes some dozens of them. */
const RETRY_WORK = 1_500

/** One look through everything that waits, over as many turns as it takes. */
interface Look {
  copies: IterableIterator<[OwedCopy, number]>
  /** What was kept after this number is left to the next look. */
  last: number
  /** Peers whose links came up before it began. */
  woken: ReadonlySet<string>
}

export class Outbox {
  readonly #options: Required<OutboxOptions>
  /** With ascending numbers, in the order in which they were kept. */
  readonly #waiting = new Map<OwedCopy, number>()
  #kept = 0
  #woken = new Set<string>()
  #look: Look | undefined
  #ticking: NodeJS.Timeout | undefined
  #nextTurn: NodeJS.Timeout | undefined

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
    this.#kept += 1
    this.#waiting.set(owed, this.#kept)
    this.#ticking ??= setInterval(() => this.#begin(), TICK_MS)
    return true
  }

  /** A link to this peer works again: what waits for it goes now, or as soon as it is found. */
  wake(peerKey: string): void {
    if (this.#waiting.size === 0) return
    this.#woken.add(peerKey)
    this.#begin()
  }

  clear(): void {
    this.#waiting.clear()
    this.#woken.clear()
    this.#look = undefined
    clearTimeout(this.#nextTurn)
    this.#rest()
  }

  #begin(): void {
    if (this.#look) return // it begins anew for the woken when it has ended
    this.#look = { copies: this.#waiting.entries(), last: this.#kept, woken: this.#woken }
    this.#woken = new Set()
    this.#goOn(this.#look)
  }

  /** Looks on for a turn. */
  #goOn(look: Look): void {
    for (let left = WORK_PER_TURN; left > 0; ) {
      const { done, value } = look.copies.next()
      if (done || value[1] > look.last) {
        this.#end()
        return
      }
      left -= this.#try(value[0], look.woken)
    }
    this.#nextTurn = setTimeout(() => this.#goOn(look), NEXT_TURN_MS)
  }

  /** Retries a copy if it is time; how much work that was. */
  #try(owed: OwedCopy, woken: ReadonlySet<string>): number {
    const { relays } = owed.copy
    const isDue =
      owed.dueMs <= this.#options.now() ||
      (woken.size > 0 && relays.some(({ peerKey }) => woken.has(peerKey)))
    if (!isDue) return 1 + (woken.size > 0 ? relays.length : 0)
    this.#waiting.delete(owed)
    this.#options.retry(owed)
    return RETRY_WORK + relays.length
  }

  #end(): void {
    this.#look = undefined
    if (this.#waiting.size === 0) this.#rest()
    else if (this.#woken.size > 0) this.#nextTurn = setTimeout(() => this.#begin(), NEXT_TURN_MS)
  }

  #rest(): void {
    clearInterval(this.#ticking)
    this.#ticking = undefined
  }

  /** Doubles up to five minutes; the half that is random keeps relays from retrying in step. */
  #backOffMs(attempts: number): number {
    const whole = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20))
    return whole / 2 + this.#options.random(whole / 2 + 1)
  }
}
