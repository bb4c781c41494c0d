/** Whether a relay's quote agrees with the chain and with what the client is ready to accept. */
import {
  BASE_PER_UNIT,
  type ChannelsDomain,
  type Deployment,
  equalBytes,
  fromHex,
  type Hello,
  isSpokenVersion,
  MainframeError,
  openQuote,
  type Quote,
  toHex,
} from '@mainframe/protocol'
import type { Relay } from '../directory/relay.ts'
import type { Medium } from './medium.ts'

/** What a client accepts of a quote. */
export interface QuoteLimits {
  /** The largest minimum deposit, in base units of what is paid with. */
  mostDepositBase: bigint
  /** The longest notice: so long a relay may keep the client from its deposit, in seconds. */
  mostNoticeSeconds: number
}

/** Blocks that a relay may want on top of a deposit. */
const MOST_CONFIRMATIONS = 100

export interface QuoteCheck {
  relay: Relay
  hello: Hello
  deployment: Deployment
  /** What the client pays with. */
  medium: Medium
  limits: QuoteLimits
  nowMs: number
}

export function domainOf({ chainId, channels }: Deployment): ChannelsDomain {
  return { chainId: BigInt(chainId), contract: fromHex(channels, 20) }
}

/**
 * The quote in a relay's HELLO in the medium that the client pays with. Throws `PAYMENT_UNVERIFIED` with
 * what is wrong with it, `PAYMENT_NO_MEDIUM` when there is none.
 */
export function checkQuote(check: QuoteCheck): Quote {
  const { relay, hello, deployment } = check
  const channels = fromHex(deployment.channels, 20)
  if (!isSpokenVersion(hello.version)) throw unverified(check, 'speaks another version of the link')
  if (hello.chainId !== deployment.chainId || !equalBytes(hello.channels, channels)) {
    throw unverified(check, 'is paid on another chain or contract')
  }
  const domain = domainOf(deployment)
  const quotes = hello.signedQuotes.map((signed) => openQuote(signed, relay.nodeKey, domain))
  const signed = quotes.filter((each) => each !== undefined)
  if (signed.length === 0 || signed.length < quotes.length) {
    throw unverified(check, 'did not sign its quote')
  }
  const quote = signed.find(({ token }) => toHex(token) === check.medium.token)
  if (!quote) throw otherMedia(check, signed)
  const fault =
    identityFault(quote, check) ??
    rateFault(quote, check) ??
    priceFault(quote, check) ??
    termsFault(quote, check)
  if (fault) throw unverified(check, fault)
  return quote
}

function identityFault(quote: Quote, { relay }: QuoteCheck): string | undefined {
  if (!equalBytes(quote.nodeId, fromHex(relay.nodeId))) return 'quotes for another relay'
  if (!equalBytes(quote.payee, fromHex(relay.payee))) return 'names another payee than its record'
  return undefined
}

/** A unit is 10^-9 MFT; what it costs in another medium is bounded by the board, and by the client. */
function rateFault(
  { baseUnitsPerUnit: rate }: Quote,
  { relay, medium }: QuoteCheck,
): string | undefined {
  if (medium.isMft) return rate === BASE_PER_UNIT ? undefined : 'counts units of another size'
  if (rate > (relay.rate ?? 0n)) return 'asks more for a unit than on the price board'
  return rate > medium.mostBaseUnitsPerUnit ? 'asks more for a unit than payWith allows' : undefined
}

function priceFault(quote: Quote, { relay, nowMs }: QuoteCheck): string | undefined {
  const { prices } = relay
  if (!prices) return 'offers nothing on the price board'
  if (quote.routeUnits > prices.routeUnits) return 'asks more than on the price board'
  if (quote.holdUnitsPerHour > prices.holdUnitsPerHour) return 'asks more than on the price board'
  return quote.expiresAtSeconds * 1000 > nowMs ? undefined : 'gave a quote that has expired'
}

function termsFault(quote: Quote, { limits }: QuoteCheck): string | undefined {
  if (quote.minDepositBase > limits.mostDepositBase) return 'wants too large a deposit'
  if (quote.noticeSeconds > limits.mostNoticeSeconds) return 'wants too long a notice'
  return quote.confirmations > MOST_CONFIRMATIONS ? 'wants too many confirmations' : undefined
}

function otherMedia({ relay, medium }: QuoteCheck, quotes: readonly Quote[]): MainframeError {
  const asked = quotes.map(({ token }) => toHex(token))
  return new MainframeError(
    'PAYMENT_NO_MEDIUM',
    `The relay takes ${asked.join(', ')} and not ${medium.token}; use another relay`,
    { details: { nodeId: relay.nodeId, asked } },
  )
}

function unverified({ relay }: QuoteCheck, fault: string): MainframeError {
  return new MainframeError('PAYMENT_UNVERIFIED', `The relay ${fault}; use another relay`, {
    details: { nodeId: relay.nodeId, fault },
  })
}
