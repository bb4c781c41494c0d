import { MainframeError } from '@mainframe/protocol'
import type { Store } from './store.ts'

/** A store that forgets everything with its process: for tests and throw-away identities. */
export function memoryStore(): Store {
  const values = new Map<string, Uint8Array>()
  let opened = false
  return {
    open: async () => {
      if (opened)
        throw new MainframeError('STORE_LOCKED', 'Another client uses this store; close it first')
      opened = true
    },
    get: async (key) => values.get(key)?.slice(),
    set: async (key, value) => void values.set(key, value.slice()),
    delete: async (key) => void values.delete(key),
    list: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
    close: async () => {
      opened = false
    },
  }
}
