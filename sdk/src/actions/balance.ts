import type { Hex } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { type ChannelTotals, spending, totalsOf } from './spending.ts'

/** What the paying account has, in base units. */
export interface Balance {
  account: Hex
  /** MFT in the wallet. */
  mftBase: bigint
  /** MFT in the account's vault of the channels contract. */
  vaultBase: bigint
  /** MFT in all channels that are not closed. */
  channels: ChannelTotals
  /** MFT that is still the account's: in the wallet, in the vault, and not signed away in channels. */
  totalBase: bigint
  /** The chain's coin, for gas. */
  coinBase: bigint
}

/** Reads the chain. Throws `CHAIN_UNREACHABLE`. */
export async function balance(
  context: Pick<ClientContext, 'chain' | 'account' | 'store'>,
): Promise<Balance> {
  const { chain, account } = context
  const [{ mft, vault, coin }, rows] = await Promise.all([
    chain.balances(account.address),
    spending(context),
  ])
  const channels = totalsOf(rows)
  return {
    account: account.address,
    mftBase: mft,
    vaultBase: vault,
    channels,
    totalBase: mft + vault + channels.remainingBase,
    coinBase: coin,
  }
}
