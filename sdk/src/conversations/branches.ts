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
 * The epoch that members go on in: the deepest; among equals the one whose branch, since it parted
 * from the others, has messages of more members; then the one with the lower digest.
 */
export function bestBranch<T extends Branch>(
  nodes: ReadonlyMap<string, T>,
  witnesses: (epochId: string) => ReadonlySet<string>,
): T | undefined {
  const depth = Math.max(...[...nodes.values()].map(({ epoch }) => epoch))
  const tips = [...nodes.values()].filter(({ epoch }) => epoch === depth)
  if (tips.length <= 1) return tips[0]
  const chains = tips.map((tip) => chainOf(nodes, tip.id))
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
