/** The directory without an indexer: the logs of the contracts over RPC, and the same reducers. */
import {
  type BoardRow,
  type Deployment,
  errorCode,
  type Hex,
  type NodeRow,
} from '@mainframe/protocol'
import type { DirectoryChain, Header } from '../chain/chain.ts'
import { type CheckedListing, FINAL_DEPTH, readRows, readSeeds } from './check-listing.ts'
import { HOLD, ROUTE, relayOf } from './check-node.ts'
import {
  brokenLog,
  copyOf,
  countUsers,
  type Followed,
  follow,
  nothingFollowed,
} from './followed.ts'

export interface ChainDirectoryOptions {
  chain: DirectoryChain
  deployment: Deployment
  /** The token that the client pays with. */
  medium: Hex
  /** Hashes of seed blocks that are too deep to change, by number; filled as they are read. */
  seeds: Map<number, Hex>
}

/** What public RPCs give at once, at most. */
const RANGE_BLOCKS = 10_000
/** Headers that are asked for at a time. */
const SEEDS_AT_ONCE = 200

/** Keeps what followed up to the final block, so that a later look reads only what is new. */
export class ChainDirectory {
  readonly #options: ChainDirectoryOptions
  #final: Followed
  #rangeBlocks = RANGE_BLOCKS

  constructor(options: ChainDirectoryOptions) {
    this.#options = options
    this.#final = nothingFollowed(options.deployment)
  }

  /** The directory at the head of the chain. Throws `CHAIN_UNREACHABLE`, `CHAIN_MISMATCH`, `CHAIN_REJECTED`. */
  async read(nowMs: number): Promise<Omit<CheckedListing, 'completeBefore'>> {
    const head = await this.#options.chain.latest()
    const followed = await this.#followTo(head)
    const nodes = [...followed.nodes.values()].filter(
      ({ active, registeredBlock }) => active && registeredBlock < head.number,
    )
    const hashes = await this.#readSeeds(nodes, head.number)
    const nowSeconds = Math.max(head.time, Math.floor(nowMs / 1000))
    const { chain, deployment, medium } = this.#options
    const token = deployment.token.toLowerCase() as Hex
    const ids = nodes.map(({ nodeId }) => nodeId)
    const inMedium =
      medium === token ? [] : await readRows(chain, { ids, token: medium, at: head.hash })
    const relays = nodes.map((node, i) => {
      const seedBlockHash = hashes.get(node.registeredBlock + 1)
      if (seedBlockHash === undefined) throw brokenLog()
      const rows = {
        route: followed.routes.get(node.nodeId) ?? noRow(ROUTE, token),
        hold: followed.holds.get(node.nodeId) ?? noRow(HOLD, token),
      }
      const { multiaddrs: multiaddrsRaw, stake } = node
      const facts = { ...node, multiaddrsRaw, stake: String(stake), seedBlockHash }
      return relayOf(facts, { rows, inMedium: inMedium[i] }, nowSeconds)
    })
    return { relays, block: head, users: countUsers(followed) }
  }

  async #readSeeds(nodes: readonly NodeRow[], head: number): Promise<ReadonlyMap<number, Hex>> {
    const { chain, seeds } = this.#options
    const found = new Map<number, Hex>()
    for (let i = 0; i < nodes.length; i += SEEDS_AT_ONCE) {
      const part = nodes.slice(i, i + SEEDS_AT_ONCE)
      for (const [number, hash] of await readSeeds(part, { chain, seeds, head })) {
        found.set(number, hash)
      }
    }
    return found
  }

  async #followTo(head: Header): Promise<Followed> {
    const final = this.#final
    try {
      await this.#extend(final, head.number - FINAL_DEPTH)
      const followed = copyOf(final)
      await this.#extend(followed, head.number)
      await this.#confirm(followed, head.hash)
      return followed
    } catch (error) {
      // half a step is none, and a chain that contradicts what was final is read anew
      if (errorCode(error) === 'CHAIN_MISMATCH') {
        this.#final = nothingFollowed(this.#options.deployment)
      }
      throw error
    }
  }

  async #extend(followed: Followed, lastBlock: number): Promise<void> {
    const { chain, deployment } = this.#options
    while (followed.block < lastBlock) {
      const toBlock = Math.min(lastBlock, followed.block + this.#rangeBlocks)
      try {
        const logs = await chain.logs(followed.block + 1, toBlock)
        follow(followed, logs, { toBlock, deployment })
      } catch (error) {
        if (errorCode(error) !== 'CHAIN_REJECTED' || this.#rangeBlocks === 1) throw error
        this.#rangeBlocks = Math.ceil(this.#rangeBlocks / 2)
      }
    }
  }

  /** Each contract says in one slot where its log ends. */
  async #confirm({ registry, board }: Followed, at: Hex): Promise<void> {
    const { chain } = this.#options
    const [nodes, prices] = await Promise.all([
      chain.logHead('registry', at),
      chain.logHead('board', at),
    ])
    if (nodes.head !== registry.head || prices.head !== board.head) throw brokenLog()
  }
}

function noRow(service: Hex, token: Hex): BoardRow {
  return { service, token, price: 0n, next: 0n, nextFrom: 0, unit: 0, active: false }
}
