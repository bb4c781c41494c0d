import type { Hex } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'

/** What the paying account has, in base units. */
export interface Balance {
  account: Hex
  /** MFT in the wallet. */
  mftBase: bigint
  /** MFT in the account's vault of the channels contract. */
  vaultBase: bigint
  /** The chain's coin, for gas. */
  coinBase: bigint
}

/** Reads the chain. Throws `CHAIN_UNREACHABLE`. */
export async function balance({ chain, account }: ClientContext): Promise<Balance> {
  const { mft, vault, coin } = await chain.balances(account.address)
  return { account: account.address, mftBase: mft, vaultBase: vault, coinBase: coin }
}
