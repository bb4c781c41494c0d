/** The events of the four contracts as plain data, decoded from raw logs (docs/contracts.md). */
import type { Hex } from '../bytes.ts'
import type { PriceSchedule } from './schedule.ts'

/** A log as `eth_getLogs` answers it. */
export interface RawLog {
  address: Hex
  topics: readonly Hex[]
  data: Hex
  blockNumber: Hex
  blockHash: Hex
  transactionHash: Hex
  logIndex: Hex
  removed?: boolean
}

/** Addresses of a deployment and the block it began in. */
export interface Deployment {
  chainId: number
  /** First block that can hold a log of these contracts. */
  block: number
  token: Hex
  registry: Hex
  board: Hex
  channels: Hex
}

/** Where an event happened; the order of events is (blockNumber, logIndex). */
export interface EventPlace {
  blockNumber: number
  blockHash: Hex
  transactionHash: Hex
  logIndex: number
}

/** Place in a contract's verifiable log (contracts.md, "Log continuity"). */
export interface Continuity {
  seq: bigint
  head: Hex
}

/** The changeable part of a relay's registration. */
export interface NodeRecord {
  manager: Hex
  payee: Hex
  sealKey: Hex
  /** UTF-8 text multiaddrs, separated by newlines, as the chain carries them. */
  multiaddrs: Hex
  metadata: Hex
}

/** One row of the price board after a change. */
export interface BoardRow extends PriceSchedule {
  service: Hex
  token: Hex
}

export type RegistryEvent = Continuity &
  EventPlace & { nodeId: Hex } & (
    | {
        type: 'Registered'
        operator: Hex
        nodeKey: Hex
        record: NodeRecord
        signature: Hex
        stake: bigint
      }
    | { type: 'Updated'; record: NodeRecord }
    | { type: 'StakeAdded'; stake: bigint }
    | { type: 'UnstakeBegun'; unlockAt: number }
    | { type: 'StakeWithdrawn'; to: Hex; amount: bigint }
  )

export type BoardEvent = Continuity & EventPlace & { type: 'PriceSet'; nodeId: Hex; row: BoardRow }

export type ChannelEvent = EventPlace & { channelId: Hex } & (
    | {
        type: 'Opened'
        payer: Hex
        payee: Hex
        token: Hex
        signer: Hex
        noticeSeconds: number
        epoch: number
        deposit: bigint
      }
    | { type: 'ToppedUp'; deposit: bigint }
    | { type: 'Claimed'; claimed: bigint }
    | { type: 'CloseRequested'; closesAt: number }
    | { type: 'CloseCancelled' }
    | { type: 'Closed'; claimed: bigint; refunded: bigint }
  )

/** An event that changes the directory: a node, its prices, or a channel. */
export type ChainEvent = RegistryEvent | BoardEvent | ChannelEvent
