/** From rows to the JSON of the interface. */
import {
  type ApiChannel,
  type ApiNode,
  type ApiPrice,
  type ChannelRow,
  currentPrice,
  decodeMultiaddrs,
  type PriceRow,
} from '@mainframe/protocol'
import type { StoredNode } from '../db/tables.ts'

/** A price with what is in force at `now`, Unix seconds. */
export function priceAnswer(row: PriceRow, now: number): ApiPrice {
  const { service, token, price, next, nextFrom, unit, active } = row
  return {
    service,
    token,
    price: String(price),
    next: String(next),
    nextFrom,
    unit,
    active,
    current: currentPrice(row, now)?.toString() ?? null,
  }
}

/** A node with its prices as JSON made by the database: null where it has none. */
export type PricedNode = StoredNode & { prices: ApiPrice[] | null }

export function nodeAnswer(row: PricedNode): ApiNode {
  return {
    nodeId: row.nodeId,
    operator: row.operator,
    nodeKey: row.nodeKey,
    manager: row.manager,
    payee: row.payee,
    sealKey: row.sealKey,
    multiaddrs: decodeMultiaddrs(row.multiaddrs),
    multiaddrsRaw: row.multiaddrs,
    metadata: row.metadata,
    stake: String(row.stake),
    active: row.active,
    unlockAt: row.unlockAt,
    registeredBlock: row.registeredBlock,
    updatedBlock: row.updatedBlock,
    seedBlockHash: row.seedBlockHash,
    overlayAddress: row.overlayAddress,
    signature: row.signature,
    signed: row.signed,
    prices: row.prices ?? [],
  }
}

export function channelAnswer(row: ChannelRow): ApiChannel {
  return {
    channelId: row.channelId,
    payer: row.payer,
    payee: row.payee,
    token: row.token,
    signer: row.signer,
    noticeSeconds: row.noticeSeconds,
    epoch: row.epoch,
    deposit: String(row.deposit),
    claimed: String(row.claimed),
    closesAt: row.closesAt,
    state: row.state,
    updatedBlock: row.updatedBlock,
  }
}
