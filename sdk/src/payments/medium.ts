/** What this client pays with, and which relays take it (PROTOCOL.md §4.1). */
import { BASE_PER_UNIT, COIN_TOKEN, type Hex, MainframeError } from '@mainframe/protocol'
import type { DirectoryView } from '../directory/relay.ts'

/** A medium of exchange other than MFT. */
export interface PayWith {
  /** ERC-20 contract, or `coin` for the chain's own. */
  token: Hex | 'coin'
  /**
   * The most base units of it that one unit of postage (10^-9 MFT) may cost: what a whole MFT is worth
   * to you, in base units of the token, divided by 10^9. Relays that ask more are not used.
   */
  mostBaseUnitsPerUnit: bigint
}

/** The one medium of a client. */
export interface Medium {
  /** In lower case; zero for the chain's coin. */
  token: Hex
  isMft: boolean
  mostBaseUnitsPerUnit: bigint
}

/** MFT unless something else is given. Throws `CONFIG_INVALID`. */
export function resolveMedium(payWith: PayWith | undefined, mft: Hex): Medium {
  const mftToken = mft.toLowerCase() as Hex
  if (!payWith) return { token: mftToken, isMft: true, mostBaseUnitsPerUnit: BASE_PER_UNIT }
  const { token: name, mostBaseUnitsPerUnit } = payWith
  const token = (name === 'coin' ? COIN_TOKEN : name.toLowerCase()) as Hex
  if (!/^0x[0-9a-f]{40}$/.test(token)) throw invalid('payWith.token is an address, or "coin"')
  if (mostBaseUnitsPerUnit < 1n) throw invalid('payWith.mostBaseUnitsPerUnit is at least 1')
  const isMft = token === mftToken
  return { token, isMft, mostBaseUnitsPerUnit: isMft ? BASE_PER_UNIT : mostBaseUnitsPerUnit }
}

/** The view with those relays only that may be paid so, by the price board. */
export function takersIn(view: DirectoryView, { mostBaseUnitsPerUnit }: Medium): DirectoryView {
  const relays = view.relays.filter(
    ({ rate }) => rate !== undefined && rate <= mostBaseUnitsPerUnit,
  )
  return { ...view, relays }
}

/** That no relay can be paid so. */
export function noTaker({ token, isMft, mostBaseUnitsPerUnit }: Medium): MainframeError {
  const what = isMft ? 'MFT' : `${token} at ${mostBaseUnitsPerUnit} base units a unit`
  return new MainframeError(
    'PAYMENT_NO_MEDIUM',
    `No relay can be paid in ${what}; choose another medium, or raise what a unit may cost, by payWith`,
    { details: { token, mostBaseUnitsPerUnit: `${mostBaseUnitsPerUnit}` } },
  )
}

function invalid(sentence: string): MainframeError {
  return new MainframeError('CONFIG_INVALID', sentence)
}
