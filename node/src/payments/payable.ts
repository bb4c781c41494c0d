/** Whether this relay pays what another asks. */
import {
  BASE_PER_UNIT,
  type Deployment,
  type Hex,
  MainframeError,
  type Quote,
  toHex,
} from '@mainframe/protocol'
import type { Directory, RelayEntry } from '../chain/directory.ts'
import type { PayingMedium } from './media.ts'

/** What this relay is willing to put into a channel. */
export interface PayerLimits {
  /** In order of preference. */
  media: readonly PayingMedium[]
  /** Notice of new channels, where the payee wants no longer one. */
  noticeSeconds: number
  /** The longest notice that is accepted: so long our money may be stuck. */
  maxNoticeSeconds: number
}

/** What a channel to a relay is made with. */
export interface Payable {
  medium: PayingMedium
  noticeSeconds: number
}

/**
 * The quote in the medium that we prefer, of those that a peer gave. Throws `PAYMENT_NO_MEDIUM` when
 * none is in one that we pay with.
 */
export function chooseQuote(quotes: readonly Quote[], tokens: readonly Hex[]): Quote {
  for (const token of tokens) {
    const quote = quotes.find((each) => toHex(each.token) === token)
    if (quote) return quote
  }
  const asked = quotes.map(({ token }) => toHex(token))
  throw new MainframeError(
    'PAYMENT_NO_MEDIUM',
    `A peer takes ${asked.join(', ')}, and this relay pays with none of them: add one to payWith`,
    { details: { asked, outcome: 'no-medium' } },
  )
}

/**
 * Medium and notice for a channel to this relay. Throws `PAYMENT_UNVERIFIED` when the quote contradicts
 * registry or board or asks for more than our limits; its signature is checked before.
 */
export function payable(
  quote: Quote,
  {
    peer,
    directory,
    deployment,
    limits,
  }: { peer: RelayEntry; directory: Directory; deployment: Deployment; limits: PayerLimits },
): Payable {
  const relay = directory.relays.get(peer.row.nodeId)
  const token = toHex(quote.token)
  const medium = limits.media.find((each) => each.token === token)
  const isMft = token === deployment.token.toLowerCase()
  const rate = quote.baseUnitsPerUnit
  const noticeSeconds = Math.max(limits.noticeSeconds, quote.noticeSeconds)
  const faults: [boolean, string][] = [
    [!relay, 'the relay is not registered any more'],
    [toHex(quote.nodeId) !== peer.row.nodeId, 'it is of another relay'],
    [toHex(quote.payee) !== relay?.row.payee, 'its payee is not the registered one'],
    [!medium, 'it asks for a token that payWith does not name'],
    [isMft && rate !== BASE_PER_UNIT, 'its unit is not 10^-9 MFT'],
    [quote.expiresAtSeconds <= Date.now() / 1000, 'it has expired'],
    [!relay?.prices, 'the relay has no prices on the board'],
    [quote.routeUnits > (relay?.prices?.routeUnits ?? 0), 'its route price is above the board’s'],
    [
      quote.holdUnitsPerHour > (relay?.prices?.holdUnitsPerHour ?? 0),
      'its hold price is above the board’s',
    ],
    [rate > (relay?.rates.get(token) ?? 0n), 'its rate is above what the board says in that token'],
    [rate > (medium?.mostBaseUnitsPerUnit ?? 0n), 'its unit costs more than payWith allows'],
    [
      quote.minDepositBase > (medium?.maxDepositBase ?? 0n),
      'it wants a larger deposit than we make',
    ],
    [noticeSeconds > limits.maxNoticeSeconds, 'it wants a longer notice than we give'],
  ]
  const fault = faults.find(([isFault]) => isFault)
  if (!fault && medium) return { medium, noticeSeconds }
  throw new MainframeError('PAYMENT_UNVERIFIED', `The quote is not paid: ${fault?.[1]}`, {
    details: { nodeId: peer.row.nodeId, outcome: 'bad-quote' },
  })
}
