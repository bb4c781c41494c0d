/** A store whose values, and as far as that goes their names, only a passphrase opens. */
import { concatBytes, MainframeError, toHex } from '@mainframe/protocol'
import { lockKey, macOf, newKey, openBox, readLockedKey, sealBox, unlockKey } from './secret-box.ts'
import { STORE_KEY, type Store } from './store.ts'
import { readJson, writeJson } from './values.ts'

/** A store that has a passphrase. */
export interface EncryptedStore extends Store {
  /** From now on another passphrase opens it; writes a single value. Throws `CONFIG_INVALID`. */
  changePassphrase(passphrase: string): Promise<void>
}

/** How a passphrase becomes a key. */
export interface EncryptionOptions {
  /** scrypt's N is two to this power, 10 to 20; 17 unless given. Less is for tests. */
  logN?: number
}

/** The key of everything else, locked by the passphrase; the one name that stands in clear. */
const VAULT = 'vault'
/** Parts of a name (`part.part.rest`) that have a hash of their own, so that they can be listed. */
const MOST_PARTS = 3
const PART_DIGITS = 16
const NAME_DIGITS = 32
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * Encrypts what is put into `store`: ChaCha20-Poly1305 under a random key, which is locked by scrypt of
 * the passphrase. A value opens under its own name only. What is not hidden: how many values there are
 * and how large, which share the first parts of their names, and when each was written. An older value,
 * or none, can be put in the place of one. `open` throws `STORE_PASSPHRASE` for a wrong passphrase and
 * `CONFIG_INVALID` for a store that holds values in clear; `get` and `list` throw `STORE_CORRUPT`.
 */
export function encryptedStore(
  store: Store,
  passphrase: string,
  options: EncryptionOptions = {},
): EncryptedStore {
  return new Encrypted(store, passphrase, options.logN)
}

/** Whether an open store has a passphrase. */
export async function isEncrypted(store: Store): Promise<boolean> {
  return (await store.get(VAULT)) !== undefined
}

interface Keys {
  main: Uint8Array
  values: Uint8Array
  names: Uint8Array
}

class Encrypted implements EncryptedStore {
  readonly #store: Store
  readonly #passphrase: string
  readonly #logN: number | undefined
  #keys: Keys | undefined
  /** Names by their hashes, as far as they were needed. */
  readonly #names = new Map<string, string>()

  constructor(store: Store, passphrase: string, logN: number | undefined) {
    this.#store = store
    this.#passphrase = passphrase
    this.#logN = logN
  }

  async open(): Promise<void> {
    await this.#store.open()
    try {
      this.#keys = keysOf(await this.#mainKey())
    } catch (error) {
      await this.#store.close()
      throw error
    }
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const place = this.#placeOf(key)
    const box = await this.#store.get(place)
    return box && this.#readValue(place, box).value
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    const place = this.#placeOf(key)
    const name = encoder.encode(key)
    const text = concatBytes(Uint8Array.of(name.length), name, value)
    await this.#store.set(place, sealBox(this.#opened().values, place, text))
    this.#names.set(place, key)
  }

  async delete(key: string): Promise<void> {
    const place = this.#placeOf(key)
    await this.#store.delete(place)
    this.#names.delete(place)
  }

  async list(prefix: string): Promise<string[]> {
    this.#opened()
    const parts = prefix.split('.').slice(0, -1)
    const hashes = this.#partsOf(parts).map((hash) => `${hash}.`)
    const places = await this.#store.list(hashes.join(''))
    const names: string[] = []
    for (const place of places) {
      if (place === VAULT) continue
      const name = this.#names.get(place) ?? (await this.#readName(place))
      if (name?.startsWith(prefix)) names.push(name)
    }
    return names
  }

  async close(): Promise<void> {
    this.#keys = undefined
    this.#names.clear()
    await this.#store.close()
  }

  async changePassphrase(passphrase: string): Promise<void> {
    const { main } = this.#opened()
    await writeJson(this.#store, VAULT, await lockKey(main, passphrase, this.#logN))
  }

  #opened(): Keys {
    if (this.#keys) return this.#keys
    throw new MainframeError('STORE_FAILED', 'The store is not open')
  }

  async #mainKey(): Promise<Uint8Array> {
    const locked = await readJson(this.#store, VAULT, readLockedKey)
    if (locked) return await unlockKey(locked, this.#passphrase)
    const [present] = await this.#store.list('')
    if (present !== undefined) throw inClear()
    const key = newKey()
    await writeJson(this.#store, VAULT, await lockKey(key, this.#passphrase, this.#logN))
    return key
  }

  #placeOf(key: string): string {
    if (!STORE_KEY.test(key)) {
      throw new MainframeError('VALIDATION_FAILED', `"${key}" is no key of a store`)
    }
    const parts = this.#partsOf(key.split('.').slice(0, -1))
    return [...parts, this.#hash(`name ${key}`, NAME_DIGITS)].join('.')
  }

  /** A hash of each part and what stands before it. */
  #partsOf(parts: readonly string[]): string[] {
    const most = parts.slice(0, MOST_PARTS)
    return most.map((_, i) => this.#hash(`part ${most.slice(0, i + 1).join('.')}`, PART_DIGITS))
  }

  #hash(purpose: string, digits: number): string {
    return toHex(macOf(this.#opened().names, purpose)).slice(2, 2 + digits)
  }

  /** `undefined` when it was removed meanwhile. */
  async #readName(place: string): Promise<string | undefined> {
    const box = await this.#store.get(place)
    return box && this.#readValue(place, box).name
  }

  #readValue(place: string, box: Uint8Array): { name: string; value: Uint8Array } {
    const text = openBox(this.#opened().values, place, box)
    if (!text) throw changed(place)
    const [length = 0] = text
    const name = decoder.decode(text.subarray(1, 1 + length))
    this.#names.set(place, name)
    return { name, value: text.slice(1 + length) }
  }
}

function keysOf(main: Uint8Array): Keys {
  return { main, values: macOf(main, 'values'), names: macOf(main, 'names') }
}

function inClear(): MainframeError {
  return new MainframeError(
    'CONFIG_INVALID',
    'The store holds values in clear; open it without a passphrase, or put a backup of it into a new one',
  )
}

function changed(place: string): MainframeError {
  return new MainframeError(
    'STORE_CORRUPT',
    'A value of the store was changed or put in the place of another; restore it from a backup',
    { details: { place } },
  )
}
