/** When a member says what it has: after it got something, when it was asked, and while others lag. */
import { exponential } from '../random.ts'
import type { Core } from './core.ts'
import { othersOf, publish } from './core.ts'
import { keepsUp, reached } from './deliveries.ts'
import { MAX_HEADS } from './limits.ts'
import type { Statement } from './payloads.ts'
import type { Whereabouts } from './whereabouts.ts'

/** How long others are reminded of own messages, as long as relays hold them. */
const REMIND_MS = 14 * 24 * 3_600_000
/** How often others are reminded of what they lack when it is not one's own. */
const MOST_REMINDERS = 8

export class Speaker {
  readonly #core: Core
  readonly #whereabouts: Whereabouts
  #stopOwed: (() => void) | undefined
  #stopRetry: (() => void) | undefined
  readonly #answered = new Map<string, string>()
  #round = 0

  constructor(core: Core, whereabouts: Whereabouts) {
    this.#core = core
    this.#whereabouts = whereabouts
  }

  /** Something is to be said, soon. */
  owe(): void {
    const { ports, serial } = this.#core
    if (this.#stopOwed) return
    const { syncMs } = ports.times
    const waitMs = exponential(syncMs, 8 * syncMs, ports.random)
    this.#stopOwed = serial.later(waitMs, () => this.say(false))
  }

  /**
   * A member lacks something by its statement. It is told once: an answer to every statement would be
   * answered in turn.
   */
  answer(name: string, statement: Statement): void {
    const { heads, lacking } = this.#core.history.statement()
    const told = JSON.stringify([statement, heads, lacking])
    if (this.#answered.get(name) === told) return
    this.#answered.set(name, told)
    this.owe()
  }

  /** A message of ours said it. */
  spoke(): void {
    this.#stopOwed?.()
    this.#stopOwed = undefined
  }

  /** Something is new: whoever does not confirm it is reminded, at first soon. */
  remind(): void {
    this.#round = 0
    this.#stopRetry?.()
    this.#stopRetry = undefined
    this.#plan()
  }

  /** Something here cannot be read yet: says so now and then, less and less often. */
  complain(): void {
    this.#plan()
  }

  /** Says what is here; `wantsAnswer` asks everybody to do the same. */
  async say(wantsAnswer: boolean): Promise<void> {
    this.spoke()
    if (!this.#core.epochs.head) return
    const statement = this.#core.history.statement()
    await publish(this.#core, { kind: 'sync', wantsAnswer, statement })
    this.#plan()
  }

  #plan(): void {
    const { ports, serial } = this.#core
    if (this.#stopRetry || this.#isDone()) return
    const { retryMs, lastRetryMs, syncMs } = ports.times
    const meanMs = Math.min(lastRetryMs, retryMs * 2 ** this.#round)
    const waitMs = meanMs + exponential(syncMs, 8 * syncMs, ports.random)
    this.#stopRetry = serial.later(waitMs, async () => {
      this.#stopRetry = undefined
      if (this.#isDone()) return
      this.#round++
      this.#whereabouts.remind()
      await this.say(true)
    })
  }

  #isDone(): boolean {
    if (!this.#core.epochs.head) return true
    const laggards = this.#laggards()
    const who = this.#core.parked.size > 0 && laggards === 'none' ? 'of others' : laggards
    return who === 'none' || (who === 'of others' && this.#round >= MOST_REMINDERS)
  }

  /** Whether somebody lacks a message of ours, or another one, as far as is known. */
  #laggards(): 'own' | 'of others' | 'none' {
    const { outgoing, history, people, statements, ports } = this.#core
    const nowMs = ports.clock.now()
    for (const { sinceMs } of outgoing.values()) if (nowMs - sinceMs < REMIND_MS) return 'own'
    const all = othersOf(this.#core).every((name) => {
      const statement = statements.get(name)
      const floor = people.get(name)?.floor ?? 0
      const heads = history.heads(MAX_HEADS).filter(({ lamport }) => lamport > floor)
      return heads.length === 0 || (statement && keepsUp(history, statement, heads))
    })
    return all && !this.#whereabouts.isConcern ? 'none' : 'of others'
  }

  /** Which of our messages a member has by what it said; true when that is news. */
  credit(name: string): string[] {
    const { outgoing, people, statements, history } = this.#core
    const statement = statements.get(name)
    if (!statement) return []
    const floor = people.get(name)?.floor ?? 0
    const open = new Set(
      [...outgoing]
        .filter(([id, { to }]) => !to.has(name) && (history.get(id)?.lamport ?? 0) > floor)
        .map(([id]) => id),
    )
    const found = [...reached(history, statement, open)]
    for (const id of found) outgoing.get(id)?.to.add(name)
    return found
  }
}
