/** Whether a relay's quote agrees with the chain and with what the client is ready to accept. */
import {
  BASE_PER_UNIT,
  type ChannelsDomain,
  type Deployment,
  equalBytes,
  fromHex,
  type Hello,
  LINK_VERSION,
  MainframeError,
  openQuote,
  type Quote,
} from '@mainframe/protocol'
import type { Relay } from '../directory/relay.ts'

/** What a client accepts of a quote. */
export interface QuoteLimits {
  /** The largest minimum deposit, in base units of MFT. */
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
  limits: QuoteLimits
  nowMs: number
}

export function domainOf({ chainId, channels }: Deployment): ChannelsDomain {
  return { chainId: BigInt(chainId), contract: fromHex(channels, 20) }
}

/** The quote in a relay's HELLO. Throws `PAYMENT_UNVERIFIED` with what is wrong with it. */
export function checkQuote(check: QuoteCheck): Quote {
  const { relay, hello, deployment } = check
  const channels = fromHex(deployment.channels, 20)
  if (hello.version !== LINK_VERSION) throw unverified(check, 'speaks another version of the link')
  if (hello.chainId !== deployment.chainId || !equalBytes(hello.channels, channels)) {
    throw unverified(check, 'is paid on another chain or contract')
  }
  const quote = openQuote(hello.signedQuote, relay.nodeKey, domainOf(deployment))
  if (!quote) throw unverified(check, 'did not sign its quote')
  const fault = identityFault(quote, check) ?? priceFault(quote, check) ?? termsFault(quote, check)
  if (fault) throw unverified(check, fault)
  return quote
}

function identityFault(quote: Quote, { relay, deployment }: QuoteCheck): string | undefined {
  if (!equalBytes(quote.nodeId, fromHex(relay.nodeId))) return 'quotes for another relay'
  if (!equalBytes(quote.payee, fromHex(relay.payee))) return 'names another payee than its record'
  if (!equalBytes(quote.token, fromHex(deployment.token))) return 'wants another token than MFT'
  return quote.baseUnitsPerUnit === BASE_PER_UNIT ? undefined : 'counts units of another size'
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

function unverified({ relay }: QuoteCheck, fault: string): MainframeError {
  return new MainframeError('PAYMENT_UNVERIFIED', `The relay ${fault}; use another relay`, {
    details: { nodeId: relay.nodeId, fault },
  })
}
