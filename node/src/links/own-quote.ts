/** The relay's own signed price quotes, one for each medium that it takes (PROTOCOL.md §4.1). */
import {
  type ChannelsDomain,
  equalBytes,
  fromHex,
  type Hex,
  type RelayPrices,
  signQuote,
} from '@mainframe/protocol'
import type { MediumTerms } from '../payments/credit-ledger.ts'

/** This relay as it is registered, with what it may ask. */
export interface QuotingSelf {
  nodeId: Uint8Array
  payee: Uint8Array
  /** At most those of the board; `undefined` while it has none in force. */
  prices: RelayPrices | undefined
  /** The most base units that a unit may cost by the board, by token. */
  rates: ReadonlyMap<Hex, bigint>
}

export interface QuoterOptions {
  nodeSeed: Uint8Array
  domain: ChannelsDomain
  /** In the order in which they are offered. */
  media: readonly MediumTerms[]
  maxWindowUnits: number
  noticeSeconds: number
  confirmations: number
  /** 20-byte account that the ledger takes vouchers for. */
  payee: Uint8Array
  /** `undefined` before the registration. */
  self(): QuotingSelf | undefined
  now?: () => number
}

/** What a link is told when it begins, and what the relay then keeps to. */
export interface OwnQuotes {
  /** Signed quotes, at least one. */
  signed: readonly Uint8Array[]
  /** The same in all of them. */
  prices: RelayPrices
  expiresAtSeconds: number
}

/** A quote is good for this long, and signed anew after half of it. */
const VALID_SECONDS = 20 * 60

/**
 * Gives the signed quotes of the moment; `undefined` while the board has no prices of ours in force,
 * or the registry names another payee: deposits for that one would be no credit here. A medium whose
 * rate the board does not allow yet is left out, since nobody would pay it.
 */
export function createQuoter(options: QuoterOptions): () => OwnQuotes | undefined {
  const { media, self, now = Date.now } = options
  let last: { quotes: OwnQuotes; key: string; renewAtSeconds: number } | undefined
  return () => {
    const own = self()
    if (!own?.prices || !equalBytes(own.payee, options.payee)) return undefined
    const offered = media.filter(
      ({ token, baseUnitsPerUnit }) => baseUnitsPerUnit <= (own.rates.get(token) ?? 0n),
    )
    if (offered.length === 0) return undefined
    const { routeUnits, holdUnitsPerHour } = own.prices
    const nowSeconds = Math.floor(now() / 1000)
    const key = `${routeUnits} ${holdUnitsPerHour} ${offered.map(({ token }) => token)}`
    if (last?.key === key && nowSeconds < last.renewAtSeconds) return last.quotes
    const expiresAtSeconds = nowSeconds + VALID_SECONDS
    const { nodeId, prices } = own
    const signed = sign(options, { nodeId, prices, expiresAtSeconds }, offered)
    const quotes = { signed, prices, expiresAtSeconds }
    last = { quotes, key, renewAtSeconds: nowSeconds + VALID_SECONDS / 2 }
    return quotes
  }
}

function sign(
  { nodeSeed, domain, payee, maxWindowUnits, noticeSeconds, confirmations }: QuoterOptions,
  common: { nodeId: Uint8Array; prices: RelayPrices; expiresAtSeconds: number },
  media: readonly MediumTerms[],
): Uint8Array[] {
  const { nodeId, prices, expiresAtSeconds } = common
  return media.map(({ token, baseUnitsPerUnit, minDepositBase }) => {
    const medium = { token: fromHex(token, 20), baseUnitsPerUnit, minDepositBase }
    const bounds = { maxWindowUnits, noticeSeconds, confirmations }
    const quote = { nodeId, payee, ...prices, ...medium, ...bounds, expiresAtSeconds }
    return signQuote(nodeSeed, quote, domain)
  })
}
