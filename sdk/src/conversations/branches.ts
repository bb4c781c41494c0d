/** Which of several rival branches of epochs counts. Everybody who knows the same decides the same. */

/** An epoch, as the choice needs it. */
export interface Branch {
  /** 32 hex digits. */
  readonly id: string
  readonly parent: string | undefined
  /** Its number: how deep the branch is. */
  readonly epoch: number
  /** Hash of the commit that began it, in hex. */
  readonly commitDigest: string
  /** Name of who made that commit; `undefined` where none is known. */
  readonly committer: string | undefined
  /** Names of those who are no members any more with it, or no admins. */
  readonly ousted: readonly string[]
}

/** From an epoch back to the oldest one that is known, newest first. */
export function chainOf<T extends Branch>(nodes: ReadonlyMap<string, T>, id: string): T[] {
  const chain: T[] = []
  for (let node = nodes.get(id); node; node = node.parent ? nodes.get(node.parent) : undefined) {
    chain.push(node)
  }
  return chain
}

/**
 * The epoch that members go on in: of those that are not void the deepest; among equals the one whose
 * branch, since it parted from the others, has messages of more members; then the lower digest.
 */
export function bestBranch<T extends Branch>(
  nodes: ReadonlyMap<string, T>,
  witnesses: (epochId: string) => ReadonlySet<string>,
): T | undefined {
  const parents = new Set([...nodes.values()].map(({ parent }) => parent))
  const ends = [...nodes.values()].filter(({ id }) => !parents.has(id))
  const standing = withoutVoid(ends.map((end) => chainOf(nodes, end.id)))
  const depth = Math.max(...standing.map(([tip]) => tip?.epoch ?? 0))
  const chains = standing.filter(([tip]) => tip?.epoch === depth)
  if (chains.length <= 1) return chains[0]?.[0]
  const shared = new Set(
    chains[0]?.map(({ id }) => id).filter((id) => chains.every((c) => c.some((n) => n.id === id))),
  )
  const ranked = chains.map((chain) => {
    const own = chain.filter(({ id }) => !shared.has(id))
    const seen = new Set(own.flatMap(({ id }) => [...witnesses(id)]))
    return { tip: chain[0] as T, count: seen.size }
  })
  ranked.sort((a, b) => b.count - a.count || compareText(a.tip.commitDigest, b.tip.commitDigest))
  return ranked[0]?.tip
}

/**
 * Without branches that began by a commit of somebody whom a rival ousts: who is removed could else undo
 * that by going on from the epoch before. Of two that oust each other's both stand.
 */
function withoutVoid<T extends Branch>(chains: T[][]): T[][] {
  const standing = chains.filter(
    (chain) => !chains.some((rival) => isVoid(chain, rival) && !isVoid(rival, chain)),
  )
  return standing.length > 0 ? standing : chains
}

function isVoid(chain: readonly Branch[], rival: readonly Branch[]): boolean {
  const theirs = new Set(rival.map(({ id }) => id))
  const parted = chain.findIndex(({ id }) => theirs.has(id))
  if (parted <= 0) return false
  const shared = chain[parted]?.id
  const since = rival.slice(
    0,
    rival.findIndex(({ id }) => id === shared),
  )
  const { committer } = chain[parted - 1] ?? {}
  return committer !== undefined && since.some(({ ousted }) => ousted.includes(committer))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Number of the newest epoch that a branch shares with the one that counts, if any. */
export function sharedEpoch<T extends Branch>(
  chain: readonly T[],
  get: (id: string) => T | undefined,
  from: T,
): number | undefined {
  const ids = new Set(chain.map(({ id }) => id))
  let node: T | undefined = from
  while (node && !ids.has(node.id)) node = node.parent ? get(node.parent) : undefined
  return node?.epoch
}
