/// <reference lib="dom" />
/** A store in a browser's IndexedDB. Browsers only. */
import { MainframeError } from '@mainframe/protocol'
import { STORE_KEY, type Store } from './store.ts'

const PREFIX = 'mainframe-store-'
const VALUES = 'values'
/** Sorts after every character of a key. */
const LAST = '\uffff'

/**
 * Keeps values in the database `name` of this origin, each written by a transaction that the browser
 * has asked its disk to keep. One page or worker has it at a time, by a Web Lock, which ends with it:
 * others are refused with `STORE_LOCKED`. `STORE_FAILED` when the browser refuses to store.
 */
export function indexedDbStore(name: string): Store {
  return new IndexedDbStore(`${PREFIX}${name}`)
}

class IndexedDbStore implements Store {
  readonly #name: string
  #database: IDBDatabase | undefined
  #release: (() => void) | undefined

  constructor(name: string) {
    this.#name = name
  }

  async open(): Promise<void> {
    const release = await takeLock(this.#name)
    try {
      this.#database = await openDatabase(this.#name)
    } catch (cause) {
      release()
      throw failure(cause)
    }
    this.#release = release
    // the user clears the site's data, or a newer version of the page wants to upgrade it
    this.#database.onversionchange = () => this.#forget()
    this.#database.onclose = () => this.#forget()
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    assertKey(key)
    const value = await this.#do('readonly', (values) => values.get(key))
    if (value === undefined || value instanceof Uint8Array) return value
    throw new MainframeError('STORE_CORRUPT', `The store holds something else under "${key}"`)
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    assertKey(key)
    await this.#do('readwrite', (values) => values.put(value.slice(), key))
  }

  async delete(key: string): Promise<void> {
    assertKey(key)
    await this.#do('readwrite', (values) => values.delete(key))
  }

  async list(prefix: string): Promise<string[]> {
    const range = IDBKeyRange.bound(prefix, `${prefix}${LAST}`)
    return (await this.#do('readonly', (values) => values.getAllKeys(range))).map(String)
  }

  async close(): Promise<void> {
    this.#database?.close()
    this.#forget()
    this.#release?.()
    this.#release = undefined
  }

  #forget(): void {
    this.#database?.close()
    this.#database = undefined
  }

  /** One request in a transaction of its own; resolves when that is complete. */
  async #do<T>(
    mode: IDBTransactionMode,
    ask: (values: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    if (!this.#database) throw new MainframeError('STORE_FAILED', 'The store is not open')
    try {
      const transaction = this.#database.transaction(VALUES, mode, { durability: 'strict' })
      const request = ask(transaction.objectStore(VALUES))
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve()
        transaction.onabort = () => reject(transaction.error)
      })
      return request.result
    } catch (cause) {
      throw failure(cause)
    }
  }
}

/** How to give the lock back. Throws `STORE_LOCKED`. */
async function takeLock(name: string): Promise<() => void> {
  const held = Promise.withResolvers<void>()
  const isOurs = await new Promise<boolean>((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, async (lock) => {
        resolve(lock !== null)
        if (lock) await held.promise
      })
      .catch(reject)
  }).catch((cause: unknown) => {
    throw failure(cause)
  })
  if (isOurs) return () => held.resolve()
  throw new MainframeError(
    'STORE_LOCKED',
    'Another page or worker uses this store; close it, or give this one a name of its own',
    { details: { name } },
  )
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => void request.result.createObjectStore(VALUES)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function assertKey(key: string): void {
  if (!STORE_KEY.test(key)) {
    throw new MainframeError('VALIDATION_FAILED', `"${key}" is no key of a store`)
  }
}

function failure(cause: unknown): MainframeError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const sentence = `The browser does not store what it is given: ${reason}`
  return new MainframeError('STORE_FAILED', sentence, { cause })
}
