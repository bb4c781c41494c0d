/**
 * The reducers that turn events into rows, the same for indexer, relay and client: pure functions
 * of one row and one event. Rows hold what the chain said; what depends on the time or on a later
 * block (current prices, overlay addresses) is derived from them.
 */
import type { Hex } from '../bytes.ts'
import type { BoardEvent, BoardRow, ChannelEvent, NodeRecord, RegistryEvent } from './events.ts'

/** A relay as registered. */
export interface NodeRow extends NodeRecord {
  nodeId: Hex
  operator: Hex
  nodeKey: Hex
  /** Ed25519 signature of the registration by `nodeKey`; checked by `isRegistrationSigned`. */
  signature: Hex
  stake: bigint
  /** False from `beginUnstake` on; there is no way back. */
  active: boolean
  /** Unix seconds from which the stake may be withdrawn; 0 while active. */
  unlockAt: number
  /** Block of the registration; the next block's hash seeds the overlay address. */
  registeredBlock: number
  updatedBlock: number
}

/** An advertised price. */
export interface PriceRow extends BoardRow {
  nodeId: Hex
  updatedBlock: number
}

/** A payment channel. `claimed` and `deposit` count within `epoch`. */
export interface ChannelRow {
  channelId: Hex
  payer: Hex
  payee: Hex
  token: Hex
  signer: Hex
  noticeSeconds: number
  epoch: number
  deposit: bigint
  claimed: bigint
  /** Unix seconds from which the payer may finalize; 0 when no close is under way. */
  closesAt: number
  state: 'open' | 'closing' | 'closed'
  updatedBlock: number
}

/**
 * The node after an event; `undefined` when the event speaks of a node that was never registered
 * (which cannot happen in an unbroken log).
 */
export function reduceNode(row: NodeRow | undefined, event: RegistryEvent): NodeRow | undefined {
  const { nodeId, blockNumber: updatedBlock } = event
  if (event.type === 'Registered') {
    const { operator, nodeKey, record, signature, stake } = event
    return {
      nodeId,
      operator,
      nodeKey,
      ...record,
      signature,
      stake,
      active: true,
      unlockAt: 0,
      registeredBlock: updatedBlock,
      updatedBlock,
    }
  }
  if (!row) return undefined
  switch (event.type) {
    case 'Updated':
      return { ...row, ...event.record, updatedBlock }
    case 'StakeAdded':
      return { ...row, stake: event.stake, updatedBlock }
    case 'UnstakeBegun':
      return { ...row, active: false, unlockAt: event.unlockAt, updatedBlock }
    case 'StakeWithdrawn':
      return { ...row, stake: 0n, updatedBlock }
  }
}

/** The touched price row after an event. */
export function reducePrice({ nodeId, row, blockNumber: updatedBlock }: BoardEvent): PriceRow {
  return { ...row, nodeId, updatedBlock }
}

/** The channel after an event; `undefined` when it was never opened. */
export function reduceChannel(
  row: ChannelRow | undefined,
  event: ChannelEvent,
): ChannelRow | undefined {
  const { channelId, blockNumber: updatedBlock } = event
  if (event.type === 'Opened') {
    const { payer, payee, token, signer, noticeSeconds, epoch, deposit } = event
    const fresh = { claimed: 0n, closesAt: 0, state: 'open' as const, updatedBlock }
    return { channelId, payer, payee, token, signer, noticeSeconds, epoch, deposit, ...fresh }
  }
  if (!row) return undefined
  switch (event.type) {
    case 'ToppedUp':
      return { ...row, deposit: event.deposit, updatedBlock }
    case 'Claimed':
      return { ...row, claimed: event.claimed, updatedBlock }
    case 'CloseRequested':
      return { ...row, closesAt: event.closesAt, state: 'closing', updatedBlock }
    case 'CloseCancelled':
      return { ...row, closesAt: 0, state: 'open', updatedBlock }
    case 'Closed':
      return { ...row, claimed: event.claimed, closesAt: 0, state: 'closed', updatedBlock }
  }
}

/** The price that holds at `nowSeconds` in base units; `undefined` when none is offered. */
export function currentPrice(row: BoardRow, nowSeconds: number): bigint | undefined {
  if (!row.active) return undefined
  const price = nowSeconds >= row.nextFrom ? row.next : row.price
  return price === 0n ? undefined : price
}
