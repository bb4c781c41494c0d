/** What is written down of contacts. */
import { digest, fromHex, type Hex, toHex } from '@mainframe/protocol'
import type { Store } from '../store/store.ts'
import { readJson, writeJson } from '../store/values.ts'

/**
 * `requested`: we asked, and wait; `asked`: they asked, and we have not answered; `accepted`: there is a
 * conversation; `blocked`: whatever comes in their name is dropped.
 */
export type ContactState = 'requested' | 'asked' | 'accepted' | 'blocked'

export interface ContactRecord {
  inboxKey: Hex
  state: ContactState
  /** What the one who asked wrote. */
  introduction?: string
  /** What the user calls them. */
  name?: string
  /** Ed25519 key that they sign with: of a request that we accepted, or of their acceptance. */
  signatureKey?: Hex
  /** The one in a request that waits for our answer: anybody may have written it. */
  offeredKey?: Hex
  /** The user has compared the safety number for `signatureKey`. */
  isVerified?: boolean
  conversationId?: Hex
  /** Of the request under way: ours if we asked, theirs if they did. */
  challenge?: Hex
  keyPackage?: Hex
  /** Of our own key package. */
  secrets?: Hex
  /** Digests of the key packages that we have accepted, the newest last: none is accepted twice. */
  answered?: Hex[]
  updatedAtMs: number
}

const PREFIX = 'contact.'
/** Requests of strangers that wait for an answer; a flood of them fills nothing. */
export const MAX_ASKED = 100
/** Digests that are kept of each contact. */
const MAX_ANSWERED = 32
const STATES: readonly string[] = ['requested', 'asked', 'accepted', 'blocked']
const HEX_FIELDS = [
  'signatureKey',
  'offeredKey',
  'conversationId',
  'challenge',
  'keyPackage',
  'secrets',
] as const

/** All contacts, in memory and in the store. */
export class ContactRecords {
  readonly #store: Store
  readonly #all: Map<string, ContactRecord>

  private constructor(store: Store, all: Map<string, ContactRecord>) {
    this.#store = store
    this.#all = all
  }

  /** Throws `STORE_CORRUPT`. */
  static async open(store: Store): Promise<ContactRecords> {
    const all = new Map<string, ContactRecord>()
    for (const key of await store.list(PREFIX)) {
      const record = await readJson(store, key, parseRecord)
      if (record) all.set(record.inboxKey, record)
    }
    return new ContactRecords(store, all)
  }

  list(): ContactRecord[] {
    return [...this.#all.values()]
  }

  get(inboxKey: Uint8Array): ContactRecord | undefined {
    return this.#all.get(toHex(inboxKey))
  }

  /** Durable when it resolves. */
  async put(record: ContactRecord): Promise<void> {
    await writeJson(this.#store, keyOf(record.inboxKey), record)
    this.#all.set(record.inboxKey, record)
  }

  async delete(inboxKey: Uint8Array): Promise<void> {
    const hex = toHex(inboxKey)
    await this.#store.delete(keyOf(hex))
    this.#all.delete(hex)
  }

  /** Whether another stranger's request can be kept. */
  get hasRoom(): boolean {
    return this.list().filter(({ state }) => state === 'asked').length < MAX_ASKED
  }
}

function keyOf(inboxKey: Hex): string {
  return `${PREFIX}${inboxKey.slice(2)}`
}

function parseRecord(value: unknown): ContactRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const record = value as Partial<Record<keyof ContactRecord, unknown>>
  const isHex = (text: unknown) => typeof text === 'string' && /^0x([0-9a-f]{2})*$/.test(text)
  if (!isHex(record.inboxKey) || fromHex(String(record.inboxKey)).length !== 32) return undefined
  if (!STATES.includes(String(record.state)) || !Number.isFinite(record.updatedAtMs)) {
    return undefined
  }
  if (HEX_FIELDS.some((field) => record[field] !== undefined && !isHex(record[field]))) {
    return undefined
  }
  const { answered = [] } = record
  if (!Array.isArray(answered) || !answered.every(isHex)) return undefined
  return value as ContactRecord
}

/** Whether a key package of this contact was accepted before. */
export function isAnswered({ answered = [] }: ContactRecord, keyPackage: Uint8Array): boolean {
  return answered.includes(toHex(digest(keyPackage)))
}

/** The same with one more. */
export function withAnswered({ answered = [] }: ContactRecord, keyPackage: Uint8Array): Hex[] {
  return [...answered, toHex(digest(keyPackage))].slice(-MAX_ANSWERED)
}
