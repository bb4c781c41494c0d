/** One conversation's part of the store, and what stands there under which key. */
import { concatBytes } from '@mainframe/protocol'
import type { Store } from '../store/store.ts'
import { bytesOf } from './message.ts'
import { nameOf, readerOf, u32, u48 } from './reader.ts'

export interface Shelf {
  get(key: string): Promise<Uint8Array | undefined>
  set(key: string, value: Uint8Array): Promise<void>
  delete(key: string): Promise<void>
  /** Keys that start so, without what is common to the conversation. */
  list(prefix: string): Promise<string[]>
}

/** Keys of conversations begin so; the id follows. */
const CONVERSATION_PREFIX = 'c.'

/** Ids of the conversations in a store, those that have ended too. */
export async function conversationIds(store: Pick<Store, 'list'>): Promise<Uint8Array[]> {
  const end = `.${SHELF_KEYS.meta}`
  return (await store.list(CONVERSATION_PREFIX))
    .filter((key) => key.endsWith(end))
    .map((key) => bytesOf(key.slice(CONVERSATION_PREFIX.length, -end.length)))
}

export function shelfOf(
  store: Pick<Store, 'get' | 'set' | 'delete' | 'list'>,
  conversationId: Uint8Array,
): Shelf {
  const prefix = `${CONVERSATION_PREFIX}${nameOf(conversationId)}.`
  return {
    get: (key) => store.get(prefix + key),
    set: (key, value) => store.set(prefix + key, value),
    delete: (key) => store.delete(prefix + key),
    list: async (start) =>
      (await store.list(prefix + start)).map((key) => key.slice(prefix.length)),
  }
}

export const SHELF_KEYS = {
  meta: 'meta',
  keyPackage: 'kp',
  message: (lamport: number, id: string) => `m.${nameOf(u48(lamport))}.${id}`,
  messages: 'm.',
  outgoing: (id: string) => `o.${id}`,
  outgoings: 'o.',
  epoch: (id: string) => `e.${id}`,
  epochs: 'e.',
  tree: (id: string) => `t.${id}`,
  trees: 't.',
  commit: (epoch: number, id: string) => `k.${nameOf(u48(epoch))}.${id}`,
  commits: 'k.',
  person: (name: string) => `p.${name}`,
  people: 'p.',
  request: (id: string) => `r.${id}`,
  requests: 'r.',
  welcome: (id: string) => `w.${id}`,
  welcomes: 'w.',
  parked: (digest: string) => `q.${digest}`,
  parkeds: 'q.',
} as const

/** Parts, each after its length as u32. */
export function joinParts(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...parts.flatMap((part) => [u32(part.length), part]))
}

/** All parts, at most so many. */
export function splitParts(bytes: Uint8Array, most: number): Uint8Array[] | undefined {
  const reader = readerOf(bytes)
  const parts: Uint8Array[] = []
  for (let left = bytes.length; left > 0 && parts.length < most; ) {
    const part = reader.bytes(reader.u32())
    parts.push(part)
    left -= 4 + part.length
  }
  return reader.finish(parts)
}
