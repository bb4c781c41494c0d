import type { ApiMeta } from '@mainframe/protocol'

/** Prices rise with the clock, between blocks too: what is older than this is computed again. */
const MAX_AGE_SECONDS = 5
/** Keys come from clients; a cache must not grow with them. */
const MAX_ENTRIES = 256

/** Computes `read` once for a key, a block and a few seconds. */
export type BlockCache = <T>(meta: ApiMeta, key: string, read: () => Promise<T>) => Promise<T>

/** Aggregates over many rows are the same for every client until the next block. */
export function createBlockCache(): BlockCache {
  const entries = new Map<string, unknown>()
  let block = ''
  let since = 0
  return async <T>(meta: ApiMeta, key: string, read: () => Promise<T>) => {
    if (block !== meta.block.hash || meta.now - since >= MAX_AGE_SECONDS) {
      entries.clear()
      block = meta.block.hash
      since = meta.now
    }
    if (entries.has(key)) return entries.get(key) as T
    const value = await read()
    // another block may have begun while the rows were read
    if (block === meta.block.hash && entries.size < MAX_ENTRIES) entries.set(key, value)
    return value
  }
}
