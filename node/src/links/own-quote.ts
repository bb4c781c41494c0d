/** The relay's own signed price quote (PROTOCOL.md §4). */
import {
  BASE_PER_UNIT,
  type ChannelsDomain,
  equalBytes,
  type RelayPrices,
  signQuote,
} from '@mainframe/protocol'

export interface QuoterOptions {
  nodeSeed: Uint8Array
  domain: ChannelsDomain
  /** 20-byte MFT contract. */
  token: Uint8Array
  maxWindowUnits: number
  minDepositBase: bigint
  noticeSeconds: number
  confirmations: number
  /** 20-byte account that the ledger takes vouchers for. */
  payee: Uint8Array
  /** This relay as it is registered, with its prices in force; `undefined` before. */
  self(): { nodeId: Uint8Array; payee: Uint8Array; prices: RelayPrices | undefined } | undefined
  now?: () => number
}

/** A quote is good for this long, and signed anew after half of it. */
const VALID_SECONDS = 20 * 60

/**
 * Gives the signed quote of the moment; `undefined` while the board has no prices of ours in force,
 * or the registry names another payee: deposits for that one would be no credit here.
 */
export function createQuoter(options: QuoterOptions): () => Uint8Array | undefined {
  const { nodeSeed, domain, self, now = Date.now } = options
  let last: { signed: Uint8Array; key: string; renewAtSeconds: number } | undefined
  return () => {
    const own = self()
    if (!own?.prices || !equalBytes(own.payee, options.payee)) return undefined
    const { routeUnits, holdUnitsPerHour } = own.prices
    const nowSeconds = Math.floor(now() / 1000)
    const key = `${routeUnits} ${holdUnitsPerHour}`
    if (last?.key === key && nowSeconds < last.renewAtSeconds) return last.signed
    const { maxWindowUnits, minDepositBase, noticeSeconds, confirmations, token } = options
    const quote = {
      nodeId: own.nodeId,
      payee: own.payee,
      token,
      routeUnits,
      holdUnitsPerHour,
      minDepositBase,
      noticeSeconds,
      maxWindowUnits,
      confirmations,
      baseUnitsPerUnit: BASE_PER_UNIT,
      expiresAtSeconds: nowSeconds + VALID_SECONDS,
    }
    const signed = signQuote(nodeSeed, quote, domain)
    last = { signed, key, renewAtSeconds: nowSeconds + VALID_SECONDS / 2 }
    return signed
  }
}
