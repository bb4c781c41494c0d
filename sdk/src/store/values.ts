/** Typed values over a store of bytes. */
import { MainframeError } from '@mainframe/protocol'
import type { Store } from './store.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * A JSON value that `parse` accepts, `undefined` when the key is missing. Throws `STORE_CORRUPT`
 * when something else stands there.
 */
export async function readJson<T>(
  store: Store,
  key: string,
  parse: (value: unknown) => T | undefined,
): Promise<T | undefined> {
  const bytes = await store.get(key)
  if (!bytes) return undefined
  const value = parse(parseJson(decoder.decode(bytes)))
  if (value === undefined) throw corrupt(key)
  return value
}

export async function writeJson(store: Store, key: string, value: unknown): Promise<void> {
  await store.set(key, encoder.encode(JSON.stringify(value)))
}

/** The secret under a key; made and stored at the first call. Throws `STORE_CORRUPT`. */
export async function readOrCreateSecret(
  store: Store,
  key: string,
  create: () => Uint8Array,
): Promise<Uint8Array> {
  const stored = await store.get(key)
  if (stored?.length === 32) return stored
  if (stored) throw corrupt(key)
  const secret = create()
  await store.set(key, secret)
  return secret
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function corrupt(key: string): MainframeError {
  return new MainframeError(
    'STORE_CORRUPT',
    `The store holds something else than the client wrote under "${key}"; restore it from a backup`,
    { details: { key } },
  )
}
