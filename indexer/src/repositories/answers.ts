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

export function nodeAnswer(row: StoredNode, prices: ApiPrice[]): ApiNode {
  const { multiaddrs, stake, ...rest } = row
  return {
    ...rest,
    multiaddrs: decodeMultiaddrs(multiaddrs),
    multiaddrsRaw: multiaddrs,
    stake: String(stake),
    prices,
  }
}

export function channelAnswer(row: ChannelRow): ApiChannel {
  return { ...row, deposit: String(row.deposit), claimed: String(row.claimed) }
}
