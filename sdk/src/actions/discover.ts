import type { Hex, RankFactors, RelayPrices } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { rankCarriers } from '../directory/choose.ts'
import { randomBytes } from '../random.ts'

/** How many relays to look for, and in which draw. */
export interface DiscoverParameters {
  /** Relays wanted; 16 unless given. */
  count?: number
  /** 1 to 32 bytes that draw the order; random unless given. */
  seed?: Uint8Array
}

/** A relay that was checked on chain, with its place. */
export interface DiscoveredRelay {
  nodeId: Hex
  operator: Hex
  payee: Hex
  /** Overlay address. */
  address: Uint8Array
  multiaddrs: readonly string[]
  stakeBase: bigint
  prices: RelayPrices
  factors: RankFactors
  weight: number
}

/** Relays to choose from, and the state of the network that they were checked against. */
export interface DiscoverResult {
  /** The best first. */
  relays: DiscoveredRelay[]
  /** Active relays in all. */
  activeRelays: number
  /** Bits of an address that are disclosed at this size of the network. */
  luminosity: number
  /** The block that the indexer's answer speaks of. */
  block: { number: number; hash: Hex; time: number }
}

/**
 * Asks the indexer for all relays, checks every one of them on chain, and ranks those that carry
 * packets at the network's postage. Throws `INDEXER_UNREACHABLE`, `INDEXER_INVALID` (the indexer
 * said something that the chain contradicts), `NETWORK_NO_RELAY`, `CHAIN_UNREACHABLE`.
 */
export async function discover(
  { directory, experience }: ClientContext,
  { count = 16, seed = randomBytes(32) }: DiscoverParameters = {},
): Promise<DiscoverResult> {
  const view = await directory.refresh()
  const ranked = rankCarriers({ view, experience, seed, k: count })
  const relays = ranked.flatMap(({ candidate: { relay }, factors, weight }) => {
    const { nodeId, operator, payee, address, multiaddrs, stakeBase, prices } = relay
    if (!prices) return []
    return [{ nodeId, operator, payee, address, multiaddrs, stakeBase, prices, factors, weight }]
  })
  const { luminosity, block } = view
  return { relays, activeRelays: view.relays.length, luminosity, block }
}
