/** Checking a whole listing: everything an indexer says is confirmed by the chain before it is used. */
import { type ApiNode, type Deployment, type Hex, MainframeError } from '@mainframe/protocol'
import type { DirectoryChain } from '../chain/chain.ts'
import { checkClaims, checkFacts, HOLD, ROUTE, relayOf, type ServiceRows } from './check-node.ts'
import { lie } from './fault.ts'
import type { Listing, NodesPage } from './indexer-api.ts'
import type { Relay } from './relay.ts'

/** A listing may be this much older than the chain; keys and relays change meanwhile. */
export const MAX_AGE_MS = 30 * 60_000

/** Relays of a listing, all of them checked, and the youngest block that it speaks of. */
export interface CheckedListing {
  relays: Relay[]
  block: { number: number; hash: Hex; time: number }
  /** Relays that were registered before this block should be there, if they stand at the youngest. */
  completeBefore: number
  users: number
}

export interface CheckOptions {
  chain: DirectoryChain
  deployment: Deployment
  /** The token that the client pays with. */
  medium: Hex
  /** Hashes of seed blocks that are too deep to change, by number; filled as they are read. */
  seeds: Map<number, Hex>
  nowMs: number
}

/** Blocks under the head after which a hash is taken for final. */
export const FINAL_DEPTH = 64

/** Throws `INDEXER_INVALID` with the fault in its details, or the chain's own errors. */
export async function checkListing(
  { pages, users }: Listing,
  options: CheckOptions,
): Promise<CheckedListing> {
  const relays: Relay[] = []
  for (const page of pages) relays.push(...(await checkPage(page, options)))
  const ids = new Set<string>()
  for (const { nodeId } of relays) {
    if (ids.has(nodeId)) throw lie('duplicate', nodeId)
    ids.add(nodeId)
  }
  const block = pages.at(-1)?.meta.block
  if (!block) throw lie('schema')
  const completeBefore = Math.min(...pages.map(({ meta }) => meta.block.number))
  return { relays, block, completeBefore, users }
}

async function checkPage({ meta, nodes }: NodesPage, options: CheckOptions): Promise<Relay[]> {
  const { chain, deployment, nowMs } = options
  if (meta.chainId !== deployment.chainId) throw lie('chain-id')
  const latest = await chain.latest()
  const [header] = await chain.headers([meta.block.number])
  const { hash, time } = meta.block
  if (header?.hash !== hash || header.time !== time) throw lie('block')
  if ((latest.time - time) * 1000 > MAX_AGE_MS) throw lie('stale')
  for (const node of nodes) {
    const fault = checkClaims(node, deployment)
    if (fault) throw lie(fault, node.nodeId)
  }
  // A local chain may be ahead of the clock, an idle one behind it.
  const nowSeconds = Math.max(latest.time, Math.floor(nowMs / 1000))
  return await confirm(nodes, { ...options, at: hash, head: latest.number, nowSeconds })
}

interface ConfirmOptions extends CheckOptions {
  at: Hex
  head: number
  nowSeconds: number
}

async function confirm(nodes: readonly ApiNode[], options: ConfirmOptions): Promise<Relay[]> {
  const { chain, deployment, medium, at, nowSeconds } = options
  if (nodes.length === 0) return []
  const { token } = deployment
  const ids = nodes.map(({ nodeId }) => nodeId)
  const isMft = medium === token.toLowerCase()
  const [states, inMft, inMedium, seeds] = await Promise.all([
    chain.states(ids, at),
    readRows(chain, { ids, token, at }),
    isMft ? undefined : readRows(chain, { ids, token: medium, at }),
    readSeeds(nodes, options),
  ])
  return nodes.map((node, i) => {
    const [state, rows] = [states[i], inMft[i]]
    if (!state || !rows) throw tooFew()
    const facts = { state, ...rows, seedBlockHash: seeds.get(node.registeredBlock + 1) }
    const fault = checkFacts(node, token, facts)
    if (fault) throw lie(fault, node.nodeId)
    return relayOf(node, { rows, inMedium: inMedium?.[i] }, nowSeconds)
  })
}

/** What the board has of these relays in a token, in their order. */
export async function readRows(
  chain: DirectoryChain,
  { ids, token, at }: { ids: readonly Hex[]; token: Hex; at: Hex },
): Promise<ServiceRows[]> {
  const of = (service: Hex) =>
    chain.rows(
      ids.map((nodeId) => ({ nodeId, service, token })),
      at,
    )
  const [routes, holds] = await Promise.all([of(ROUTE), of(HOLD)])
  return ids.map((_, i) => {
    const [route, hold] = [routes[i], holds[i]]
    if (!route || !hold) throw tooFew()
    return { route, hold }
  })
}

function tooFew(): MainframeError {
  return new MainframeError('CHAIN_MISMATCH', 'The chain answers for fewer relays than asked')
}

/** Hashes of the blocks that seed these relays' addresses, by number. */
export async function readSeeds(
  nodes: readonly { registeredBlock: number }[],
  { chain, seeds, head }: Pick<ConfirmOptions, 'chain' | 'seeds' | 'head'>,
): Promise<ReadonlyMap<number, Hex>> {
  const numbers = [...new Set(nodes.map(({ registeredBlock }) => registeredBlock + 1))]
  const unknown = numbers.filter((number) => !seeds.has(number))
  const headers = await chain.headers(unknown)
  const found = new Map<number, Hex>()
  for (const header of headers) {
    if (!header) continue
    found.set(header.number, header.hash)
    if (header.number + FINAL_DEPTH <= head) seeds.set(header.number, header.hash)
  }
  return new Map([...seeds, ...found])
}
