/** Where a client keeps what must outlive it: keys, signed amounts, cursors, completed messages. */
export interface Store {
  /** Takes the store for this client; called once, before anything else. */
  open(): Promise<void>
  /** The value of a key; `undefined` when there is none. */
  get(key: string): Promise<Uint8Array | undefined>
  /** Durable when it resolves: after a crash the key has this value or a later one. */
  set(key: string, value: Uint8Array): Promise<void>
  /** Removes a key; no error when there is none. */
  delete(key: string): Promise<void>
  /** The keys that start with a prefix, in no order. */
  list(prefix: string): Promise<string[]>
  /** Gives the store back; nothing is called afterwards. */
  close(): Promise<void>
}

/** Keys are file names on some platforms: lower-case letters, digits, dots and dashes. */
export const STORE_KEY = /^[a-z0-9][a-z0-9.-]{0,191}$/
