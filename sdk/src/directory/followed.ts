/** The directory as events make it: the reducers of the protocol over plain maps. */
import {
  type BoardRow,
  type ChainEvent,
  type ChannelRow,
  continuesLog,
  type Deployment,
  decodeLog,
  fromHex,
  GENESIS_HEAD,
  type Hex,
  isRegistrationSigned,
  type LogHead,
  MainframeError,
  type NodeRow,
  type RawLog,
  reduceChannel,
  reduceNode,
  reducePrice,
} from '@mainframe/protocol'
import { HOLD, ROUTE } from './check-node.ts'

/** What followed from all logs up to a block. */
export interface Followed {
  block: number
  registry: LogHead
  board: LogHead
  /** Registered and signed, active or not. */
  nodes: Map<Hex, NodeRow>
  routes: Map<Hex, BoardRow>
  holds: Map<Hex, BoardRow>
  channels: Map<Hex, ChannelRow>
}

/** Before the first block of a deployment. */
export function nothingFollowed({ block }: Deployment): Followed {
  return {
    block: block - 1,
    registry: GENESIS_HEAD,
    board: GENESIS_HEAD,
    nodes: new Map(),
    routes: new Map(),
    holds: new Map(),
    channels: new Map(),
  }
}

/** One to go on from without touching this one. */
export function copyOf(followed: Followed): Followed {
  const { nodes, routes, holds, channels } = followed
  return {
    ...followed,
    nodes: new Map(nodes),
    routes: new Map(routes),
    holds: new Map(holds),
    channels: new Map(channels),
  }
}

/**
 * Takes in the logs up to `toBlock`, in order. Throws a retryable `CHAIN_MISMATCH` where one is
 * missing; what was taken in until then is of no use.
 */
export function follow(
  into: Followed,
  logs: readonly RawLog[],
  { toBlock, deployment }: { toBlock: number; deployment: Deployment },
): void {
  for (const log of logs) {
    const event = decodeLog(log, deployment)
    if (event) take(into, event, deployment)
  }
  into.block = toBlock
}

function take(into: Followed, event: ChainEvent, deployment: Deployment): void {
  if ('channelId' in event) {
    const row = reduceChannel(into.channels.get(event.channelId), event)
    if (!row) throw brokenLog()
    if (row.state === 'closed') into.channels.delete(event.channelId)
    else into.channels.set(event.channelId, row)
    return
  }
  const contract = event.type === 'PriceSet' ? 'board' : 'registry'
  if (!continuesLog(into[contract], event)) throw brokenLog()
  into[contract] = { seq: event.seq, head: event.head }
  if (event.type === 'PriceSet') {
    const row = reducePrice(event)
    if (row.token !== deployment.token.toLowerCase()) return
    if (row.service === ROUTE) into.routes.set(row.nodeId, row)
    if (row.service === HOLD) into.holds.set(row.nodeId, row)
    return
  }
  const row = reduceNode(into.nodes.get(event.nodeId), event)
  // whoever did not sign is no relay, whatever happens to the registration
  if (row && (event.type !== 'Registered' || isSigned(row, deployment))) {
    into.nodes.set(event.nodeId, row)
  }
}

function isSigned(row: NodeRow, { chainId, registry }: Deployment): boolean {
  return isRegistrationSigned(fromHex(row.nodeKey), fromHex(row.signature), {
    chainId: BigInt(chainId),
    registry: fromHex(registry),
    operator: fromHex(row.operator),
  })
}

/** Accounts that pay an open channel and are not the payee of an active relay (PROTOCOL.md §1.4). */
export function countUsers({ nodes, channels }: Followed): number {
  const payees = new Set<Hex>()
  for (const { active, payee } of nodes.values()) if (active) payees.add(payee)
  const payers = new Set<Hex>()
  for (const { state, payer } of channels.values()) {
    if (state === 'open' && !payees.has(payer)) payers.add(payer)
  }
  return payers.size
}

/** The error for an RPC whose logs have a gap. */
export function brokenLog(): MainframeError {
  return new MainframeError(
    'CHAIN_MISMATCH',
    'The chain RPC leaves out logs; use another RPC, or an indexer',
    { retryable: true },
  )
}
