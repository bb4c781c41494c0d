/** Ids of messages that were handled: durable, so that no restart delivers one twice. */
import { maybe, whole } from '../readers.ts'
import type { Store } from '../store/store.ts'
import { readJson, writeJson } from '../store/values.ts'

const PREFIX = 'done.'
/** Packets live 14 days and a little; after that nothing of a message can come any more. */
const REMEMBERED_MS = 15 * 24 * 3_600_000

export class Completed {
  readonly #store: Store
  readonly #atMs: Map<string, number>

  private constructor(store: Store, atMs: Map<string, number>) {
    this.#store = store
    this.#atMs = atMs
  }

  /** Reads what is remembered and forgets what is too old. Throws `STORE_CORRUPT`. */
  static async open(store: Store, nowMs: number): Promise<Completed> {
    const atMs = new Map<string, number>()
    for (const key of await store.list(PREFIX)) {
      const at = await readJson(store, key, maybe(whole))
      if (at !== undefined) atMs.set(key.slice(PREFIX.length), at)
    }
    const completed = new Completed(store, atMs)
    await completed.forget(nowMs)
    return completed
  }

  has(messageKey: string): boolean {
    return this.#atMs.has(messageKey)
  }

  /** Durable when it resolves. */
  async add(messageKey: string, nowMs: number): Promise<void> {
    await writeJson(this.#store, `${PREFIX}${messageKey}`, nowMs)
    this.#atMs.set(messageKey, nowMs)
  }

  /** Forgets messages of which no packet can be alive. */
  async forget(nowMs: number): Promise<void> {
    for (const [messageKey, atMs] of this.#atMs) {
      if (nowMs - atMs <= REMEMBERED_MS) continue
      await this.#store.delete(`${PREFIX}${messageKey}`)
      this.#atMs.delete(messageKey)
    }
  }
}
