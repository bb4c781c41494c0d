/** Which relays may be the entry, in which order: few, and the same ones for weeks. */
import type { Hex } from '@mainframe/protocol'
import { carriersOf, rankCarriers } from '../directory/choose.ts'
import type { Experience } from '../directory/experience.ts'
import type { DirectoryView, Relay } from '../directory/relay.ts'
import { randomBytes } from '../random.ts'
import { hex, list, maybe } from '../readers.ts'
import type { Store } from '../store/store.ts'
import { readJson, writeJson } from '../store/values.ts'

const KEY = 'entries'
/**
 * Entry relays that a client keeps: each sees its address and its account, so it should meet few in
 * its life, and come back to the first when that works again.
 */
const MOST_PINNED = 3
/** Relays that are tried in one go. */
const MOST_CANDIDATES = 8

export class Guards {
  readonly #store: Store
  readonly #experience: Experience
  #pinned: Hex[]
  /** Relays that did not answer, and until when they are left alone. */
  readonly #resting = new Map<Hex, number>()

  private constructor(store: Store, experience: Experience, pinned: Hex[]) {
    this.#store = store
    this.#experience = experience
    this.#pinned = pinned
  }

  /** Throws `STORE_CORRUPT`. */
  static async open(store: Store, experience: Experience): Promise<Guards> {
    const pinned = await readJson(store, KEY, maybe(list(hex(32), MOST_PINNED)))
    return new Guards(store, experience, pinned ?? [])
  }

  /**
   * Relays to try, the first first: pinned ones, then by rank. Those of `avoided` operators (where we
   * receive) and those that did not answer lately come last.
   */
  candidates(view: DirectoryView, avoided: ReadonlySet<Hex>, nowMs: number): Relay[] {
    const ids = new Set(carriersOf(view).map(({ nodeId }) => nodeId))
    const pinned = this.#pinned.flatMap((id) => (ids.has(id) ? (view.byId.get(id) ?? []) : []))
    const seed = randomBytes(32)
    const ranked = rankCarriers({ view, experience: this.#experience, seed, k: MOST_CANDIDATES })
    const others = ranked
      .map(({ candidate }) => candidate.relay)
      .filter((relay) => !pinned.includes(relay))
    const isBad = ({ nodeId, operator }: Relay) =>
      (this.#resting.get(nodeId) ?? 0) > nowMs || avoided.has(operator)
    const all = [...pinned, ...others]
    return [...all.filter((relay) => !isBad(relay)), ...all.filter(isBad)]
  }

  /** The relay works: it stays pinned. Durable when it resolves. */
  async pin({ nodeId }: Relay): Promise<void> {
    this.#resting.delete(nodeId)
    if (this.#pinned.includes(nodeId)) return
    this.#pinned = [...this.#pinned, nodeId].slice(-MOST_PINNED)
    await writeJson(this.#store, KEY, this.#pinned)
  }

  /** Never to be the entry again by itself. Durable when it resolves. */
  async unpin(nodeId: Hex): Promise<void> {
    this.#pinned = this.#pinned.filter((id) => id !== nodeId)
    await writeJson(this.#store, KEY, this.#pinned)
  }

  rest({ nodeId }: Relay, untilMs: number): void {
    this.#resting.set(nodeId, untilMs)
  }
}
