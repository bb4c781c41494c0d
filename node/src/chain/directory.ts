/** The relay's view of relays, prices and channels: what the chain said, k blocks deep. */
import {
  type ChainEvent,
  type ChannelEvent,
  type ChannelRow,
  type Deployment,
  decodeMultiaddrs,
  fromHex,
  type Hex,
  isRegistrationSigned,
  MainframeError,
  type NodeRow,
  reduceChannel,
  reduceNode,
  relayAddress,
} from '@mainframe/protocol'
import { type BoardOffer, BoardPrices } from './board-prices.ts'

/** An active relay whose registration its node key signed and whose overlay address is known. */
export interface RelayEntry extends BoardOffer {
  nodeId: Uint8Array
  row: NodeRow
  nodeKey: Uint8Array
  /** Overlay address (PROTOCOL.md §1.3). */
  address: Uint8Array
  sealKey: Uint8Array
  multiaddrs: string[]
  /** Hex of the node key. */
  peerKey: string
}

/** The two numbers that the luminosity follows from, after an epoch's block (PROTOCOL.md §1.4). */
export interface EpochCounts {
  /** Number of that block. */
  block: number
  /** Active relays. */
  relays: number
  /** Accounts with an open channel that are not the payee of an active relay. */
  users: number
}

/** What the relay reads of the chain. All of it is `confirmations` blocks deep. */
export interface Directory {
  /** By node id: active, signed, seed block known. */
  readonly relays: ReadonlyMap<Hex, RelayEntry>
  /** By channel id: those that our hot account pays or is paid by (or all), closed ones too. */
  readonly channels: ReadonlyMap<Hex, ChannelRow>
  /** By channel id: base units claimed in epochs before the channel's present one. */
  readonly earlierClaims: ReadonlyMap<Hex, bigint>
  /** As of the newest epoch's block; `undefined` before the first. */
  readonly epoch: EpochCounts | undefined
  /** The last block taken in; -1 before the first. */
  readonly confirmedBlock: number
  /** By hex of the node key. */
  byPeerKey(peerKey: string): RelayEntry | undefined
  /** Calls after every batch of blocks that changed something; returns how to stop it. */
  subscribe(listener: () => void): () => void
}

export interface DirectoryOptions {
  deployment: Deployment
  /** The relay's hot account: which channels are kept whole; all of them without it. */
  account?: Hex
  /** Tokens whose prices are kept, beside MFT and whatever this relay advertises itself. */
  media?: readonly Hex[]
}

/** The directory in memory, fed in chain order by `ChainFollower`. */
export class ChainDirectory implements Directory {
  readonly relays = new Map<Hex, RelayEntry>()
  readonly channels = new Map<Hex, ChannelRow>()
  readonly earlierClaims = new Map<Hex, bigint>()
  confirmedBlock = -1
  epoch: EpochCounts | undefined
  readonly #deployment: Deployment
  readonly #account: Hex | undefined
  readonly #nodes = new Map<Hex, NodeRow>()
  readonly #board: BoardPrices
  readonly #seeds = new Map<Hex, Hex>()
  /** Nodes that no signature makes relays: their owners cannot mend it, the id is used up. */
  readonly #unsigned = new Set<Hex>()
  /** Payers of the network's channels: of those that are open, and of those that are closing. */
  readonly #openChannels = new Map<Hex, Hex>()
  readonly #closingChannels = new Map<Hex, Hex>()
  readonly #byPeerKey = new Map<string, RelayEntry>()
  readonly #listeners = new Set<() => void>()
  /** When the next announced price takes effect, Unix seconds. */
  #nextPriceAt = Number.POSITIVE_INFINITY

  constructor({ deployment, account, media = [] }: DirectoryOptions) {
    this.#deployment = deployment
    this.#account = account?.toLowerCase() as Hex | undefined
    this.#board = new BoardPrices(deployment.token, media)
  }

  /** Accounts with an open channel that are not the payee of an active relay, as of now. */
  get users(): number {
    const payees = new Set<Hex>()
    for (const { row } of this.relays.values()) payees.add(row.payee)
    const users = new Set(this.#openChannels.values())
    return [...users].filter((payer) => !payees.has(payer)).length
  }

  byPeerKey(peerKey: string): RelayEntry | undefined {
    return this.#byPeerKey.get(peerKey)
  }

  /** Tokens in which our own relay stands on the board, whether or not it takes them. */
  ownTokens(nodeId: Hex): Hex[] {
    return this.#board.tokensOf(nodeId)
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Blocks whose hashes are still needed: those after the registrations of relays without one. */
  missingSeeds(): { nodeId: Hex; block: number }[] {
    const missing = []
    for (const [nodeId, row] of this.#nodes) {
      if (this.#seeds.has(nodeId) || this.#unsigned.has(nodeId) || !row.active) continue
      missing.push({ nodeId, block: row.registeredBlock + 1 })
    }
    return missing
  }

  /**
   * Takes in everything up to a block. Events are in chain order and continue what came before;
   * seeds are block hashes by node id; `nowSeconds` decides which prices are in force.
   */
  advance(batch: {
    events: readonly ChainEvent[]
    seeds: ReadonlyMap<Hex, Hex>
    toBlock: number
    nowSeconds: number
  }): void {
    const touched = new Set<Hex>()
    for (const [nodeId, hash] of batch.seeds) {
      this.#seeds.set(nodeId, hash)
      touched.add(nodeId)
    }
    for (const event of batch.events) this.#apply(event, touched)
    if (batch.nowSeconds >= this.#nextPriceAt) {
      for (const nodeId of this.#board.nodeIds) touched.add(nodeId)
    }
    for (const nodeId of touched) this.#list(nodeId, batch.nowSeconds)
    if (touched.size > 0) this.#nextPriceAt = this.#board.nextChangeAfter(batch.nowSeconds)
    this.confirmedBlock = batch.toBlock
    if (touched.size === 0 && batch.events.length === 0) return
    this.#tell()
  }

  /** Counts what there is after an epoch's block, up to which everything has been taken in. */
  openEpoch(): void {
    this.epoch = { block: this.confirmedBlock, relays: this.relays.size, users: this.users }
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  #apply(event: ChainEvent, touched: Set<Hex>): void {
    if ('channelId' in event) {
      this.#applyChannel(event)
      return
    }
    touched.add(event.nodeId)
    if (event.type === 'PriceSet') {
      const manager = this.#nodes.get(event.nodeId)?.manager
      const isOurs = manager !== undefined && manager === this.#account
      this.#board.apply(event, isOurs)
      return
    }
    const next = reduceNode(this.#nodes.get(event.nodeId), event)
    if (!next) {
      throw new MainframeError(
        'CHAIN_MISMATCH',
        'The registry speaks of a node it never registered',
      )
    }
    this.#nodes.set(event.nodeId, next)
    if (event.type === 'Registered' && !this.#isSigned(next)) this.#unsigned.add(event.nodeId)
  }

  #applyChannel(event: ChannelEvent): void {
    const { channelId } = event
    this.#applyPayer(event)
    const previous = this.channels.get(channelId)
    if (!previous && !this.#keeps(event)) return
    if (event.type === 'Opened' && previous) {
      const earlier = this.earlierClaims.get(channelId) ?? 0n
      this.earlierClaims.set(channelId, earlier + previous.claimed)
    }
    const next = reduceChannel(previous, event)
    if (next) this.channels.set(channelId, next)
  }

  #applyPayer(event: ChannelEvent): void {
    const { type, channelId } = event
    const [open, closing] = [this.#openChannels, this.#closingChannels]
    if (type === 'Opened') open.set(channelId, event.payer)
    if (type === 'CloseRequested') move(channelId, open, closing)
    if (type === 'CloseCancelled') move(channelId, closing, open)
    if (type === 'Closed') {
      open.delete(channelId)
      closing.delete(channelId)
    }
  }

  #keeps(event: ChannelEvent): boolean {
    if (event.type !== 'Opened') return false
    const account = this.#account
    return account === undefined || event.payer === account || event.payee === account
  }

  #isSigned({ nodeKey, signature, operator }: NodeRow): boolean {
    return isRegistrationSigned(fromHex(nodeKey), fromHex(signature), {
      chainId: BigInt(this.#deployment.chainId),
      registry: fromHex(this.#deployment.registry),
      operator: fromHex(operator),
    })
  }

  /** Lists a relay anew with what is known of it now, or no longer. */
  #list(nodeId: Hex, nowSeconds: number): void {
    const listed = this.relays.get(nodeId)
    if (listed && this.#byPeerKey.get(listed.peerKey) === listed) {
      this.#byPeerKey.delete(listed.peerKey)
    }
    const row = this.#nodes.get(nodeId)
    const seed = this.#seeds.get(nodeId)
    if (!row?.active || !seed || this.#unsigned.has(nodeId)) {
      this.relays.delete(nodeId)
      return
    }
    const entry = relayEntry(row, seed, this.#board.offerOf(nodeId, nowSeconds))
    this.relays.set(nodeId, entry)
    // One key may be registered by two operators, with its consent: the elder registration counts.
    const other = this.#byPeerKey.get(entry.peerKey)
    if (!other || other.row.registeredBlock > row.registeredBlock) {
      this.#byPeerKey.set(entry.peerKey, entry)
    }
  }
}

function move(channelId: Hex, from: Map<Hex, Hex>, to: Map<Hex, Hex>): void {
  const payer = from.get(channelId)
  if (payer !== undefined && from.delete(channelId)) to.set(channelId, payer)
}

function relayEntry(row: NodeRow, seed: Hex, offer: BoardOffer): RelayEntry {
  const nodeId = fromHex(row.nodeId)
  return {
    nodeId,
    row,
    nodeKey: fromHex(row.nodeKey),
    address: relayAddress(nodeId, fromHex(seed)),
    sealKey: fromHex(row.sealKey),
    multiaddrs: decodeMultiaddrs(row.multiaddrs),
    ...offer,
    peerKey: row.nodeKey,
  }
}
