/** The count of users is in no log that proves itself: indexers are held against each other. */
import { networkLuminosity } from '@mainframe/protocol'
import { lie } from './fault.ts'
import { type Fetch, fetchNetwork } from './indexer-api.ts'

export interface UserCounts {
  /** Base URLs of the indexers that did not give `users`. */
  others: readonly string[]
  fetch: Fetch
  /** Listed relays, which are checked. */
  relays: number
  users: number
  countOnChain: () => Promise<number>
  onFault: ((error: unknown) => void) | undefined
}

/**
 * The count to go by. Indexers a block apart may differ by a few; only another luminosity matters.
 * Then the chain decides: throws `INDEXER_INVALID` when it contradicts `users`, and tells `onFault`
 * when it contradicts another indexer. Where it cannot be asked, the count that discloses least wins.
 */
export async function settleUsers(counts: UserCounts): Promise<number> {
  const { others, fetch, relays, users, countOnChain, onFault } = counts
  const luminosity = (count: number) => networkLuminosity(relays, count)
  const told = (await Promise.all(others.map((url) => ask(url, fetch)))).filter(
    (count) => count !== undefined,
  )
  if (told.every((count) => luminosity(count) === luminosity(users))) return users
  const real = await countOnChain().catch(() => undefined)
  if (real === undefined) {
    onFault?.(lie('users'))
    return Math.min(users, ...told)
  }
  if (luminosity(real) !== luminosity(users)) throw lie('users')
  onFault?.(lie('users'))
  return users
}

/** One that does not answer has nothing to compare. */
async function ask(url: string, fetch: Fetch): Promise<number | undefined> {
  try {
    return (await fetchNetwork({ url, fetch })).users
  } catch {
    return undefined
  }
}
