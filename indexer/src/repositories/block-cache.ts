import type { ApiMeta } from '@mainframe/protocol'

/** Keys come from clients; a cache must not grow with them. */
const MAX_ENTRIES = 256

/**
 * Computes `read` once for a key and a block. What changes with the clock as well says until when it
 * holds, in Unix seconds.
 */
export type BlockCache = <T>(
  meta: ApiMeta,
  key: string,
  read: () => Promise<T>,
  holdsUntil?: (value: T) => number,
) => Promise<T>

interface Entry {
  value: Promise<unknown>
  /** Infinite until the value is there. */
  until: number
}

/** Aggregates over many rows are the same for every client until the next block. */
export function createBlockCache(): BlockCache {
  const entries = new Map<string, Entry>()
  let block = ''
  return <T>(
    meta: ApiMeta,
    key: string,
    read: () => Promise<T>,
    holdsUntil: (value: T) => number = () => Number.POSITIVE_INFINITY,
  ) => {
    if (block !== meta.block.hash) entries.clear()
    block = meta.block.hash
    const known = entries.get(key)
    if (known && meta.now < known.until) return known.value as Promise<T>
    const value = read()
    if (!known && entries.size >= MAX_ENTRIES) return value
    // kept while it is under way too, so that a crowd costs one look at the rows
    const entry: Entry = { value, until: Number.POSITIVE_INFINITY }
    entries.set(key, entry)
    value.then(
      (found) => {
        entry.until = holdsUntil(found)
      },
      () => {
        if (entries.get(key) === entry) entries.delete(key)
      },
    )
    return value
  }
}
