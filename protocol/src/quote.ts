/** The signed price quote of a relay (PROTOCOL.md §4). */

import { primitives } from '#primitives'
import {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  exactBytes,
  readU64,
  utf8,
  viewOf,
  writeU64,
} from './bytes.ts'
import type { ChannelsDomain } from './voucher.ts'

/** What a relay asks of a payer on a link, until it expires. */
export interface Quote {
  nodeId: Uint8Array
  /** Account that channels must name as payee. */
  payee: Uint8Array
  /** Medium of exchange: ERC20 contract, or 20 zero bytes for the chain's coin. */
  token: Uint8Array
  routeUnits: number
  holdUnitsPerHour: number
  /** Smallest deposit of a channel, in base units of `token`. */
  minDepositBase: bigint
  /** Shortest notice of a channel, in seconds. */
  noticeSeconds: number
  /** The most that the relay accepts prepaid and unspent, in units. */
  maxWindowUnits: number
  /** Depth at which the relay believes a deposit, in blocks. */
  confirmations: number
  /** Base units of `token` that one unit costs; 10^9 for MFT. */
  baseUnitsPerUnit: bigint
  expiresAtSeconds: number
}

const QUOTE_BYTES = 142
export const SIGNED_QUOTE_BYTES = QUOTE_BYTES + 64
/** The most media that a relay takes: a HELLO has room for this many quotes. */
export const MAX_QUOTES = 8

/** The quote and its Ed25519 signature by the node's seed. */
export function signQuote(seed: Uint8Array, quote: Quote, domain: ChannelsDomain): Uint8Array {
  const encoded = encodeQuote(quote)
  return concatBytes(encoded, primitives.ed25519Sign(seed, signedBytes(encoded, domain)))
}

/** The quote, if `nodeKey` signed it for this deployment. Expiry is the caller's to check. */
export function openQuote(
  bytes: Uint8Array,
  nodeKey: Uint8Array,
  domain: ChannelsDomain,
): Quote | undefined {
  if (bytes.length < SIGNED_QUOTE_BYTES) return undefined
  const encoded = bytes.subarray(0, QUOTE_BYTES)
  const signature = bytes.subarray(QUOTE_BYTES, SIGNED_QUOTE_BYTES)
  const signed = primitives.ed25519Verify(nodeKey, signedBytes(encoded, domain), signature)
  return signed ? decodeQuote(encoded) : undefined
}

function signedBytes(encoded: Uint8Array, { chainId, contract }: ChannelsDomain): Uint8Array {
  return concatBytes(
    utf8('mainframe/quote/1'),
    bigintToBytes(chainId, 32),
    exactBytes(contract, 20),
    encoded,
  )
}

function encodeQuote(quote: Quote): Uint8Array {
  const out = new Uint8Array(QUOTE_BYTES)
  const view = viewOf(out)
  out.set(exactBytes(quote.nodeId, 32), 0)
  out.set(exactBytes(quote.payee, 20), 32)
  out.set(exactBytes(quote.token, 20), 52)
  writeU64(view, 72, quote.routeUnits)
  writeU64(view, 80, quote.holdUnitsPerHour)
  out.set(bigintToBytes(quote.minDepositBase, 16), 88)
  view.setUint32(104, quote.noticeSeconds)
  writeU64(view, 108, quote.maxWindowUnits)
  view.setUint16(116, quote.confirmations)
  out.set(bigintToBytes(quote.baseUnitsPerUnit, 16), 118)
  writeU64(view, 134, quote.expiresAtSeconds)
  return out
}

function decodeQuote(bytes: Uint8Array): Quote | undefined {
  const view = viewOf(bytes)
  const routeUnits = readU64(view, 72)
  const holdUnitsPerHour = readU64(view, 80)
  const maxWindowUnits = readU64(view, 108)
  const expiresAtSeconds = readU64(view, 134)
  const baseUnitsPerUnit = bytesToBigint(bytes.subarray(118, 134))
  if (!routeUnits || !holdUnitsPerHour || !maxWindowUnits || !expiresAtSeconds) return undefined
  if (baseUnitsPerUnit === 0n) return undefined
  return {
    nodeId: bytes.slice(0, 32),
    payee: bytes.slice(32, 52),
    token: bytes.slice(52, 72),
    routeUnits,
    holdUnitsPerHour,
    minDepositBase: bytesToBigint(bytes.subarray(88, 104)),
    noticeSeconds: view.getUint32(104),
    maxWindowUnits,
    confirmations: view.getUint16(116),
    baseUnitsPerUnit,
    expiresAtSeconds,
  }
}
