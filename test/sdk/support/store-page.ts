/** Runs in a browser: what a test does with stores there. */
import { errorCode } from '@mainframe/protocol'
import { encryptedStore, fileStore, indexedDbStore, type Store } from '@mainframe/sdk'

const open = new Map<string, Store>()
const encode = (text: string) => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes)

function storeCalled(name: string): Store {
  const store = open.get(name)
  if (store) return store
  throw new TypeError(`No store ${name} is open`)
}

/** The code of the error that an action ends with; "none" if it ends well. */
async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action()
    return 'none'
  } catch (error) {
    return errorCode(error) ?? String(error)
  }
}

const page = {
  open: (name: string, passphrase?: string) =>
    codeOf(async () => {
      const inner = indexedDbStore(name)
      const store = passphrase === undefined ? inner : encryptedStore(inner, passphrase)
      await store.open()
      open.set(name, store)
    }),
  close: async (name: string) => {
    await storeCalled(name).close()
    open.delete(name)
  },
  set: (name: string, key: string, value: string) =>
    codeOf(() => storeCalled(name).set(key, encode(value))),
  get: async (name: string, key: string) => decode(await storeCalled(name).get(key)),
  delete: (name: string, key: string) => storeCalled(name).delete(key),
  list: async (name: string, prefix: string) => (await storeCalled(name).list(prefix)).sort(),
  /** Counts up under "counter" for ever; tells each number that is durable. */
  count: async (name: string, tell: (number: number) => void) => {
    for (let i = 1; ; i++) {
      await storeCalled(name).set('counter', encode(`${i} ${'x'.repeat(1_000)}`))
      tell(i)
    }
  },
  fileStore: () => codeOf(() => fileStore('folder')),
}

export type StorePage = typeof page
Object.assign(globalThis, { page })
