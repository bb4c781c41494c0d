import { COIN_TOKEN, type Hex } from '@mainframe/protocol'
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
  /** What the client pays with, which is MFT unless `payWith` says otherwise. */
  medium: { token: Hex; walletBase: bigint; vaultBase: bigint }
}

/** Reads the chain. Throws `CHAIN_UNREACHABLE`. */
export async function balance({ chain, account, settings }: ClientContext): Promise<Balance> {
  const { token } = settings.medium
  const [mft, coin, medium] = await Promise.all(
    [chain.deployment.token, COIN_TOKEN, token].map((each) => chain.funds(each, account.address)),
  )
  return {
    account: account.address,
    mftBase: mft?.wallet ?? 0n,
    vaultBase: mft?.vault ?? 0n,
    coinBase: coin?.wallet ?? 0n,
    medium: { token, walletBase: medium?.wallet ?? 0n, vaultBase: medium?.vault ?? 0n },
  }
}
