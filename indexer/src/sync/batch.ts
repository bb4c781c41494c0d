/** From logs to rows, without a database: what one committed step of the indexer consists of. */
import { setImmediate } from 'node:timers/promises'
import {
  type BoardEvent,
  type ChainEvent,
  type ChannelEvent,
  type ChannelRow,
  continuesLog,
  type Deployment,
  fromHex,
  type Hex,
  isRegistrationSigned,
  type LogHead,
  MainframeError,
  type PriceRow,
  type RawLog,
  type RegistryEvent,
  reduceChannel,
  reduceNode,
  reducePrice,
  relayAddress,
  toHex,
} from '@mainframe/protocol'
import { inconsistent, type LogHeads } from '../chain/chain-reader.ts'
import { decodeLog } from '../chain/decode.ts'
import type { StoredLog, StoredNode } from '../db/tables.ts'

/** A log takes some 50 µs to check; after this many the HTTP server has its turn. */
const LOGS_AT_ONCE = 128

/** A block and where the verifiable logs stand after it. */
export interface Cursor {
  number: number
  hash: Hex
  time: number
  registry: LogHead
  board: LogHead
}

/** Consecutive blocks as read from the chain, up to and including `block`. */
export interface Batch {
  /** Hash of the block before its first. */
  parentHash: Hex
  block: { number: number; hash: Hex; time: number }
  /** In the order of the chain. */
  logs: readonly RawLog[]
  /** Hashes, by number, of those blocks that follow a registration. */
  seeds: ReadonlyMap<number, Hex>
  /** What the contracts say of their logs after `block`, where it can be known. */
  logHeads: LogHeads | undefined
}

/** Events in the order of the chain, and hashes by number of blocks that place nodes. */
export interface DerivedEvents {
  events: readonly ChainEvent[]
  seeds: ReadonlyMap<number, Hex>
}

/** A batch whose events were decoded and found to continue the verifiable logs. */
export interface VerifiedBatch extends DerivedEvents {
  cursor: Cursor
  logs: readonly StoredLog[]
}

/** Rows that a batch builds on: those its events name, and nodes without an overlay address. */
export interface BaseRows {
  nodes: readonly StoredNode[]
  channels: readonly ChannelRow[]
}

/** Rows as they stand after a batch, each key once. */
export interface ChangedRows {
  nodes: StoredNode[]
  prices: PriceRow[]
  channels: ChannelRow[]
}

export function isRegistryEvent(event: ChainEvent): event is RegistryEvent {
  return 'seq' in event && event.type !== 'PriceSet'
}

function isBoardEvent(event: ChainEvent): event is BoardEvent {
  return event.type === 'PriceSet'
}

export function isChannelEvent(event: ChainEvent): event is ChannelEvent {
  return 'channelId' in event
}

/**
 * Decodes a batch and checks that every event of registry and board is the very next one of its
 * log, and that none is missing at the end. Throws a retryable `CHAIN_MISMATCH` for a gap: an RPC
 * dropped, added or swapped something.
 */
export async function verifyBatch(
  batch: Batch,
  from: Cursor,
  deployment: Deployment,
): Promise<VerifiedBatch> {
  const cursor: Cursor = { ...batch.block, registry: from.registry, board: from.board }
  const events: ChainEvent[] = []
  const logs: StoredLog[] = []
  for (const [i, log] of batch.logs.entries()) {
    if (i % LOGS_AT_ONCE === LOGS_AT_ONCE - 1) await setImmediate()
    const event = decodeLog(log, deployment)
    if (event === undefined) continue
    if ('seq' in event) {
      const contract = isBoardEvent(event) ? 'board' : 'registry'
      if (!continuesLog(cursor[contract], event)) throw gap(contract, cursor[contract], event)
      cursor[contract] = { seq: event.seq, head: event.head }
    }
    events.push(event)
    logs.push(storedLog(log, event))
  }
  for (const contract of ['registry', 'board'] as const) {
    const stated = batch.logHeads?.[contract]
    if (stated && (stated.seq !== cursor[contract].seq || stated.head !== cursor[contract].head)) {
      throw gap(contract, cursor[contract], { ...stated, blockNumber: cursor.number })
    }
  }
  return { cursor, events, logs, seeds: batch.seeds }
}

function gap(contract: string, known: LogHead, found: LogHead & { blockNumber: number }) {
  const { blockNumber } = found
  return inconsistent(
    `at block ${blockNumber} the log of the ${contract} goes on with event ${found.seq}, ` +
      `but what was read ends with event ${known.seq}`,
    { contract, blockNumber, known: Number(known.seq), found: Number(found.seq) },
  )
}

function storedLog(log: RawLog, event: ChainEvent): StoredLog {
  return {
    blockNumber: event.blockNumber,
    logIndex: event.logIndex,
    blockHash: log.blockHash,
    transactionHash: log.transactionHash,
    address: log.address,
    topics: `0x${log.topics.map((topic) => topic.slice(2)).join('')}`,
    data: log.data,
    seq: 'seq' in event ? Number(event.seq) : null,
    head: 'seq' in event ? event.head : null,
  }
}

/** Applies the events of a batch, in order, and gives overlay addresses to nodes that wait for one. */
export function reduceBatch(
  base: BaseRows,
  batch: DerivedEvents,
  deployment: Deployment,
): ChangedRows {
  const nodes = new Map(base.nodes.map((row) => [row.nodeId, row]))
  const channels = new Map(base.channels.map((row) => [row.channelId, row]))
  const prices = new Map<string, PriceRow>()
  const changed = new Set<Hex>()
  for (const event of batch.events) {
    if (isChannelEvent(event)) {
      const row = known(reduceChannel(channels.get(event.channelId), event), event)
      channels.set(row.channelId, row)
      changed.add(row.channelId)
    } else if (isRegistryEvent(event)) {
      nodes.set(event.nodeId, nextNode(nodes.get(event.nodeId), event, deployment))
      changed.add(event.nodeId)
    } else {
      const row = reducePrice(event)
      prices.set(priceKey(row), row)
    }
  }
  for (const node of nodes.values()) {
    const seed = batch.seeds.get(node.registeredBlock + 1)
    if (node.overlayAddress !== null || seed === undefined) continue
    nodes.set(node.nodeId, placeNode(node, seed))
    changed.add(node.nodeId)
  }
  const touched = <R>(rows: Map<Hex, R>) =>
    [...rows].filter(([id]) => changed.has(id)).map(([, row]) => row)
  return { nodes: touched(nodes), prices: [...prices.values()], channels: touched(channels) }
}

/** What tells prices apart. */
export function priceKey({ nodeId, service, token }: PriceRow): string {
  return `${nodeId} ${service} ${token}`
}

function nextNode(
  row: StoredNode | undefined,
  event: RegistryEvent,
  deployment: Deployment,
): StoredNode {
  const node = known(reduceNode(row, event), event)
  if (row) return { ...row, ...node }
  const signed = isRegistrationSigned(fromHex(node.nodeKey), fromHex(node.signature), {
    chainId: BigInt(deployment.chainId),
    registry: fromHex(deployment.registry),
    operator: fromHex(node.operator),
  })
  return { ...node, signed, seedBlockHash: null, overlayAddress: null }
}

function placeNode(node: StoredNode, seedBlockHash: Hex): StoredNode {
  const overlayAddress = toHex(relayAddress(fromHex(node.nodeId), fromHex(seedBlockHash)))
  return { ...node, seedBlockHash, overlayAddress }
}

/** A change of what was never created means that the log did not begin at its beginning. */
function known<R>(row: R | undefined, event: ChainEvent): R {
  if (row !== undefined) return row
  const message = `Block ${event.blockNumber} changes something (${event.type}) that was never created`
  throw new MainframeError('CHAIN_MISMATCH', message, { retryable: true })
}
