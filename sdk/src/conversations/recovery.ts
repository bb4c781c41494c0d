/** Asking for messages that are missing, and giving others what they miss. */
import { exponential } from '../random.ts'
import { type Core, count, publish, tell } from './core.ts'
import {
  ASK_WINDOW_MS,
  MAX_ASK_ROUNDS,
  MAX_ASKED,
  MAX_GIVEN_BYTES,
  MAX_GIVEN_TO_ONE,
} from './limits.ts'
import type { Ref } from './message.ts'
import { SHELF_KEYS } from './shelf.ts'

export class Recovery {
  readonly #core: Core
  readonly #toGive = new Map<string, Ref>()
  /** How many messages each member was given in this window of time. */
  readonly #given = new Map<string, number>()
  #windowMs = 0
  #told = 0
  #stopAsk: (() => void) | undefined
  #stopGive: (() => void) | undefined

  constructor(core: Core) {
    this.#core = core
  }

  /** To be called whenever something may have become missing, or come. */
  update(): void {
    const { history, ports } = this.#core
    const missing = history.missing()
    if (missing.length !== this.#told) {
      this.#told = missing.length
      tell(ports, { type: 'recovering', count: missing.length })
    }
    if (missing.length === 0) {
      this.#stopAsk?.()
      this.#stopAsk = undefined
    } else if (!this.#stopAsk) this.#planAsk()
  }

  #planAsk(): void {
    const { history, ports, serial } = this.#core
    const nowMs = ports.clock.now()
    for (const missing of history.missing()) {
      if (missing.dueMs === 0) missing.dueMs = nowMs + this.#askWait(missing.rounds)
    }
    const nextMs = Math.min(...history.missing().map(({ dueMs }) => dueMs))
    this.#stopAsk = serial.later(Math.max(0, nextMs - nowMs), async () => {
      this.#stopAsk = undefined
      await this.#ask()
      this.update()
    })
  }

  #askWait(rounds: number): number {
    const { times, random } = this.#core.ports
    const meanMs = Math.min(times.askMs * 2 ** rounds, times.lastRetryMs)
    // At least half of it, so that answers have time to come.
    return Math.ceil(meanMs / 2) + 1 + exponential(meanMs / 2, 4 * meanMs, random)
  }

  async #ask(): Promise<void> {
    const { history, ports, epochs } = this.#core
    const nowMs = ports.clock.now()
    let lost = 0
    const due = history.missing().filter(({ dueMs }) => dueMs <= nowMs)
    for (const { id } of due.filter(({ rounds }) => rounds >= MAX_ASK_ROUNDS)) {
      history.giveUp(id)
      lost++
    }
    if (lost > 0) tell(ports, { type: 'lost', count: lost })
    const asked = due.filter(({ rounds }) => rounds < MAX_ASK_ROUNDS).slice(0, MAX_ASKED)
    for (const missing of asked) {
      missing.rounds++
      missing.dueMs = nowMs + this.#askWait(missing.rounds)
    }
    if (asked.length === 0 || !epochs.head) return
    await publish(this.#core, { kind: 'ask', refs: asked })
  }

  /** Somebody asks: others who miss the same wait for the answer, who has it waits and gives. */
  asked(by: string, refs: readonly Ref[]): 'asked' | 'ask-flood' {
    const { history, ports, people, serial } = this.#core
    const nowMs = ports.clock.now()
    if (nowMs - this.#windowMs > ASK_WINDOW_MS) {
      this.#windowMs = nowMs
      this.#given.clear()
    }
    const floor = people.get(by)?.floor ?? 0
    const names = new Set(refs.map(({ id }) => id))
    for (const missing of history.missing()) {
      if (names.has(missing.id)) missing.dueMs = nowMs + this.#askWait(missing.rounds)
    }
    const had = refs.filter(
      (ref) => history.has(ref) && (history.get(ref.id)?.lamport ?? 0) > floor,
    )
    const budget = MAX_GIVEN_TO_ONE - (this.#given.get(by) ?? 0)
    const granted = had.slice(0, Math.max(0, budget))
    this.#given.set(by, (this.#given.get(by) ?? 0) + granted.length)
    for (const ref of granted) this.#toGive.set(ref.id, ref)
    if (granted.length > 0 && !this.#stopGive) {
      const waitMs = exponential(ports.times.giveMs, 8 * ports.times.giveMs, ports.random)
      this.#stopGive = serial.later(waitMs, () => this.#give())
    }
    return granted.length < had.length ? 'ask-flood' : 'asked'
  }

  /** A message came by: nobody needs to give it again. */
  seen({ id, lamport }: Ref): void {
    if ((this.#toGive.get(id)?.lamport ?? Number.POSITIVE_INFINITY) <= lamport) {
      this.#toGive.delete(id)
    }
  }

  async #give(): Promise<void> {
    this.#stopGive = undefined
    const { history, shelf, epochs } = this.#core
    const refs = [...this.#toGive.values()].slice(0, MAX_ASKED * 4)
    this.#toGive.clear()
    let batch: Uint8Array[] = []
    let size = 0
    const flush = async () => {
      if (batch.length > 0) await publish(this.#core, { kind: 'give', messages: batch })
      batch = []
      size = 0
    }
    for (const { id } of refs) {
      const entry = history.get(id)
      const bytes = entry && (await shelf.get(SHELF_KEYS.message(entry.lamport, id)))
      if (!bytes || !epochs.head) continue
      if (batch.length === MAX_ASKED || size + bytes.length > MAX_GIVEN_BYTES) await flush()
      batch.push(bytes)
      size += bytes.length
    }
    await flush()
    count(this.#core, 'gave')
  }
}
