/** Time that passes when a test says so. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../../sdk/src/clock.ts'

export interface FakeClock extends Clock {
  /** Lets time pass: timers run in order, and what they set off runs before the next one. */
  pass(ms: number): Promise<void>
  /** Timers that wait. */
  readonly waiting: number
}

/** `idle` is awaited after each timer, besides a few turns of the event loop. */
export function fakeClock(
  startMs = Date.UTC(2030, 0, 1),
  idle: () => Promise<void> = async () => {},
): FakeClock {
  let nowMs = startMs
  let number = 0
  const timers = new Map<number, { atMs: number; run: () => void }>()
  const settle = async () => {
    for (let i = 0; i < 4; i++) await turn()
    await idle()
  }
  const due = (untilMs: number) => {
    let first: [number, { atMs: number; run: () => void }] | undefined
    // in order of their start where they are due at once, as maps keep it
    for (const timer of timers) {
      if (timer[1].atMs <= untilMs && (!first || timer[1].atMs < first[1].atMs)) first = timer
    }
    return first
  }
  return {
    now: () => nowMs,
    after: (delayMs, run) => {
      const id = ++number
      timers.set(id, { atMs: nowMs + Math.max(0, delayMs), run })
      return () => void timers.delete(id)
    },
    get waiting() {
      return timers.size
    },
    pass: async (ms) => {
      const untilMs = nowMs + ms
      await settle()
      for (let next = due(untilMs); next; next = due(untilMs)) {
        const [id, { atMs, run }] = next
        timers.delete(id)
        nowMs = Math.max(nowMs, atMs)
        run()
        await settle()
      }
      nowMs = untilMs
    },
  }
}
