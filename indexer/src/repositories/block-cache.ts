import type { ApiMeta } from '@mainframe/protocol'

/** Prices rise with the clock, between blocks too: what is older than this is computed again. */
const MAX_AGE_SECONDS = 5
/** Keys come from clients; a cache must not grow with them. */
const MAX_ENTRIES = 256

/** Computes `read` once for a key, a block and a few seconds. */
export type BlockCache = <T>(meta: ApiMeta, key: string, read: () => Promise<T>) => Promise<T>

/** Aggregates over many rows are the same for every client until the next block. */
export function createBlockCache(): BlockCache {
  const entries = new Map<string, Promise<unknown>>()
  let block = ''
  let since = 0
  return <T>(meta: ApiMeta, key: string, read: () => Promise<T>) => {
    if (block !== meta.block.hash || meta.now - since >= MAX_AGE_SECONDS) {
      entries.clear()
      block = meta.block.hash
      since = meta.now
    }
    const known = entries.get(key) as Promise<T> | undefined
    if (known) return known
    const value = read()
    if (entries.size >= MAX_ENTRIES) return value
    // kept while it is under way too, so that a crowd costs one look at the rows
    entries.set(key, value)
    value.catch(() => {
      if (entries.get(key) === value) entries.delete(key)
    })
    return value
  }
}
