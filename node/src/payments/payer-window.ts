/** How much of a channel is prepaid to a peer (PROTOCOL.md §4.2). */
import { countableUnits, MainframeError, type PayerChannel, type Quote } from '@mainframe/protocol'

/** Prepaid at most, as a part of the deposit: what a cheating or crashing payee can cost. */
const WINDOWS_PER_DEPOSIT = 10n
/** Part of the relay's window that is not used, for the unit that each new link signs in advance. */
const WINDOW_SLACK = 16

/** Units to prepay at most; `PAYMENT_INSUFFICIENT` when the deposit is too small for one. */
export function windowOf(depositBase: bigint, { maxWindowUnits, baseUnitsPerUnit }: Quote): number {
  const byDeposit = countableUnits(depositBase / WINDOWS_PER_DEPOSIT, baseUnitsPerUnit)
  const byQuote = maxWindowUnits - Math.ceil(maxWindowUnits / WINDOW_SLACK)
  const windowUnits = Math.min(byDeposit, byQuote)
  if (windowUnits >= 1) return windowUnits
  throw new MainframeError(
    'PAYMENT_INSUFFICIENT',
    'The deposit or the window is too small to prepay',
  )
}

/**
 * Throws `PAYMENT_UNVERIFIED` when what was signed before is more units than a link can count: a peer may
 * lower its rate until it is.
 */
export function assertCountable(
  signedBase: bigint,
  { baseUnitsPerUnit, windowUnits }: Pick<PayerChannel, 'baseUnitsPerUnit' | 'windowUnits'>,
): void {
  const units = countableUnits(signedBase, baseUnitsPerUnit)
  if (Number.isSafeInteger(units + windowUnits)) return
  throw new MainframeError(
    'PAYMENT_UNVERIFIED',
    'The quote is not paid: its unit is too small for what the channel has paid already',
  )
}
