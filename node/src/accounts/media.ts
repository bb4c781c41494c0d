/** The media of exchange that the ledger follows. */
import type { Hex } from '@mainframe/protocol'
import type { RelayConfig } from '../config.ts'
import { COIN } from './chart.ts'

/**
 * MFT, in which the stake is; the coin, for gas; and whatever else this relay takes or pays with. Of a
 * token that left the settings its channels are followed to their end, but not wallet and vault.
 */
export function ledgerMedia({
  deployment,
  accept,
  payWith,
}: Pick<RelayConfig, 'deployment' | 'accept' | 'payWith'>): Hex[] {
  const others = [...accept, ...payWith].map(({ token }) => token)
  return [...new Set([deployment.token, COIN, ...others])]
}
