/** Which messages there are, how they hang together, and which are missing. Bodies are elsewhere. */
import { MAX_HEADS, MAX_LACKING, MAX_MISSING, MAX_MISSING_BY_ONE } from './limits.ts'
import { compareRefs, type Message, type Ref } from './message.ts'
import type { Statement } from './payloads.ts'
import { nameOf } from './reader.ts'

/** What is kept in memory of a message. */
export interface Entry extends Ref {
  /** Inbox key in hex. */
  readonly sender: string
  readonly epochId: string
  readonly parents: readonly Ref[]
}

/** A message that somebody named and that is not here. */
export interface Missing extends Ref {
  /** Who named it. */
  by: string
  sinceMs: number
  /** How often this client has asked. */
  rounds: number
  /** When it may be asked for; 0 before the first wait was drawn. */
  dueMs: number
}

export class History {
  readonly #entries = new Map<string, Entry>()
  /** Up to which version a message was named as a parent: it is no head any more. */
  readonly #covered = new Map<string, number>()
  readonly #heads = new Map<string, Entry>()
  readonly #missing = new Map<string, Missing>()
  /** Given up, or from before one's time; looked for no more. */
  readonly #lost = new Map<string, number>()
  #clock: number
  #floor: number

  /** Messages up to the Lamport time `floor` are none of ours. */
  constructor(floor: number) {
    this.#floor = floor
    this.#clock = floor
  }

  /** The highest Lamport time that was seen. */
  get clock(): number {
    return this.#clock
  }

  get floor(): number {
    return this.#floor
  }

  get size(): number {
    return this.#entries.size
  }

  /** Time goes on, even when a message that shows it is not ours. */
  advance(lamport: number): void {
    this.#clock = Math.max(this.#clock, lamport)
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  /** Whether a message is here in that version or a later one. */
  has({ id, lamport }: Ref): boolean {
    return (this.#entries.get(id)?.lamport ?? 0) >= lamport
  }

  /** Takes a message in; `replaced` when a lower version of it was there. */
  add(message: Message, nowMs: number): 'new' | 'replaced' | 'known' | 'before-joining' {
    this.advance(message.lamport)
    if (message.lamport <= this.#floor) return 'before-joining'
    const known = this.#entries.get(message.id)
    if (known && known.lamport >= message.lamport) return 'known'
    const { id, lamport, epochId, parents } = message
    const entry = { id, lamport, epochId, parents, sender: nameOf(message.sender) }
    this.#entries.set(id, entry)
    this.#lost.delete(id)
    const missing = this.#missing.get(id)
    if (missing && missing.lamport <= lamport) this.#missing.delete(id)
    if ((this.#covered.get(id) ?? 0) < lamport) this.#heads.set(id, entry)
    for (const parent of parents) this.#cover(parent, entry.sender, nowMs)
    return known ? 'replaced' : 'new'
  }

  #cover(parent: Ref, by: string, nowMs: number): void {
    if (parent.lamport <= this.#floor) return
    const covered = Math.max(this.#covered.get(parent.id) ?? 0, parent.lamport)
    this.#covered.set(parent.id, covered)
    const head = this.#heads.get(parent.id)
    if (head && head.lamport <= covered) this.#heads.delete(parent.id)
    this.want(parent, by, nowMs)
  }

  /** Notes that somebody has a message; `refused` when too much is missing by that one's word. */
  want(ref: Ref, by: string, nowMs: number): 'here' | 'missing' | 'refused' {
    if (ref.lamport <= this.#floor || this.has(ref)) return 'here'
    if ((this.#lost.get(ref.id) ?? 0) >= ref.lamport) return 'here'
    const known = this.#missing.get(ref.id)
    if (known && known.lamport >= ref.lamport) return 'missing'
    if (!known && !this.#hasRoom(by)) return 'refused'
    this.#missing.set(ref.id, { ...ref, by, sinceMs: nowMs, rounds: 0, dueMs: 0 })
    return 'missing'
  }

  #hasRoom(by: string): boolean {
    if (this.#missing.size >= MAX_MISSING) return false
    let count = 0
    for (const missing of this.#missing.values()) if (missing.by === by) count++
    return count < MAX_MISSING_BY_ONE
  }

  /** Nobody has it, as far as one can find out. */
  giveUp(id: string): void {
    const missing = this.#missing.get(id)
    if (!missing) return
    this.#missing.delete(id)
    this.#lost.set(id, missing.lamport)
    const [oldest] = this.#lost.keys()
    if (this.#lost.size > MAX_MISSING && oldest !== undefined) this.#lost.delete(oldest)
  }

  missing(): Missing[] {
    return [...this.#missing.values()]
  }

  isMissing(id: string): boolean {
    return this.#missing.has(id)
  }

  get isComplete(): boolean {
    return this.#missing.size === 0 && this.#lost.size === 0
  }

  /** Messages that no other follows, the newest first. */
  heads(most: number): Ref[] {
    return [...this.#heads.values()]
      .map(({ id, lamport }) => ({ id, lamport }))
      .sort((a, b) => compareRefs(b, a))
      .slice(0, most)
  }

  /** What this client has, as it tells others. */
  statement(): Statement {
    const lacking = [...this.#missing.values(), ...refsOf(this.#lost)]
    return {
      heads: this.heads(MAX_HEADS),
      lacking: lacking.slice(0, MAX_LACKING).map(({ id, lamport }) => ({ id, lamport })),
      isCut: lacking.length > MAX_LACKING,
    }
  }

  /** All messages in order. */
  ordered(): Entry[] {
    return [...this.#entries.values()].sort(compareRefs)
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values()
  }
}

function refsOf(map: ReadonlyMap<string, number>): Ref[] {
  return [...map].map(([id, lamport]) => ({ id, lamport }))
}
