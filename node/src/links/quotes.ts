/** Checking what a relay asks before paying it (PROTOCOL.md §3, §4). */
import {
  BASE_PER_UNIT,
  type ChannelsDomain,
  type Hello,
  openQuote,
  type Quote,
  type RelayPrices,
} from '@mainframe/protocol'

/** Why a peer's HELLO is not accepted. */
export type QuoteFault = 'unsigned' | 'stale' | 'other-relay' | 'above-board'

export interface QuoteCheck {
  hello: Hello
  nodeId: Uint8Array
  nodeKey: Uint8Array
  /** From the price board. */
  prices: RelayPrices | undefined
  domain: ChannelsDomain
  nowSeconds: number
}

/** The quote of a HELLO, if the node key signed it, it holds now, and it asks no more than the board. */
export function checkQuote(check: QuoteCheck): Quote | QuoteFault {
  const { hello, nodeId, nodeKey, prices, domain, nowSeconds } = check
  const quote = openQuote(hello.signedQuote, nodeKey, domain)
  if (!quote) return 'unsigned'
  if (quote.expiresAtSeconds <= nowSeconds) return 'stale'
  if (Buffer.compare(quote.nodeId, nodeId) !== 0) return 'other-relay'
  const isFair =
    prices !== undefined &&
    quote.routeUnits <= prices.routeUnits &&
    quote.holdUnitsPerHour <= prices.holdUnitsPerHour &&
    quote.baseUnitsPerUnit <= BASE_PER_UNIT
  return isFair ? quote : 'above-board'
}
