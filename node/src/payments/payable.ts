/** Whether this relay pays what another asks. */
import {
  BASE_PER_UNIT,
  type Deployment,
  equalBytes,
  fromHex,
  MainframeError,
  type Quote,
  toHex,
} from '@mainframe/protocol'
import type { Directory, RelayEntry } from '../chain/directory.ts'

/** What this relay is willing to put into a channel. */
export interface PayerLimits {
  /** Deposit of a channel, base units, where the payee wants no more. */
  depositBase: bigint
  /** The largest minimum deposit that is paid. */
  maxDepositBase: bigint
  /** Notice of new channels, where the payee wants no longer one. */
  noticeSeconds: number
  /** The longest notice that is accepted: so long our money may be stuck. */
  maxNoticeSeconds: number
}

/**
 * The notice for a channel to this relay. Throws `PAYMENT_UNVERIFIED` when the quote contradicts
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
): number {
  const relay = directory.relays.get(peer.row.nodeId)
  const noticeSeconds = Math.max(limits.noticeSeconds, quote.noticeSeconds)
  const faults: [boolean, string][] = [
    [!relay, 'the relay is not registered any more'],
    [toHex(quote.nodeId) !== peer.row.nodeId, 'it is of another relay'],
    [toHex(quote.payee) !== relay?.row.payee, 'its payee is not the registered one'],
    [!equalBytes(quote.token, fromHex(deployment.token)), 'it asks for another token than MFT'],
    [quote.baseUnitsPerUnit !== BASE_PER_UNIT, 'its unit is not 10^-9 MFT'],
    [quote.expiresAtSeconds <= Date.now() / 1000, 'it has expired'],
    [!relay?.prices, 'the relay has no prices on the board'],
    [quote.routeUnits > (relay?.prices?.routeUnits ?? 0), 'its route price is above the board’s'],
    [
      quote.holdUnitsPerHour > (relay?.prices?.holdUnitsPerHour ?? 0),
      'its hold price is above the board’s',
    ],
    [quote.minDepositBase > limits.maxDepositBase, 'it wants a larger deposit than we make'],
    [noticeSeconds > limits.maxNoticeSeconds, 'it wants a longer notice than we give'],
  ]
  const fault = faults.find(([isFault]) => isFault)
  if (!fault) return noticeSeconds
  throw new MainframeError('PAYMENT_UNVERIFIED', `The quote is not paid: ${fault[1]}`, {
    details: { nodeId: peer.row.nodeId, outcome: 'bad-quote' },
  })
}
