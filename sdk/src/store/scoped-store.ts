import type { Store } from './store.ts'

/** A part of an open store: keys that start with `prefix`, named without it. */
export function scopedStore(store: Store, prefix: string): Store {
  const list = async (more: string) =>
    (await store.list(`${prefix}${more}`)).map((key) => key.slice(prefix.length))
  return {
    open: async () => {},
    get: (key) => store.get(`${prefix}${key}`),
    set: (key, value) => store.set(`${prefix}${key}`, value),
    delete: (key) => store.delete(`${prefix}${key}`),
    list,
    close: async () => {},
  }
}
