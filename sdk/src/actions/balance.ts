import { COIN_TOKEN, type Hex } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { mftOf } from '../payments/channel-records.ts'
import { type ChannelTotals, channelSpending, totalsOf } from './spending.ts'

/** What the paying account has of one token, in its base units. */
export interface MediumBalance {
  /** ERC-20, or zero for the chain's coin. */
  token: Hex
  walletBase: bigint
  vaultBase: bigint
  /** All channels in it that are not closed. */
  channels: ChannelTotals
  /** What is still the account's: in the wallet, in the vault, and not signed away in channels. */
  totalBase: bigint
}

/** What the paying account has, in base units. */
export interface Balance {
  account: Hex
  /** MFT in the wallet. */
  mftBase: bigint
  /** MFT in the account's vault of the channels contract. */
  vaultBase: bigint
  /** All channels in MFT that are not closed. */
  channels: ChannelTotals
  /** MFT that is still the account's: in the wallet, in the vault, and not signed away in channels. */
  totalBase: bigint
  /** The chain's coin, for gas. */
  coinBase: bigint
  /** The same of what the client pays with, which is MFT unless `payWith` says otherwise. */
  medium: MediumBalance
}

/** Reads the chain. Throws `CHAIN_UNREACHABLE`. */
export async function balance({
  chain,
  account,
  store,
  settings,
}: Pick<ClientContext, 'chain' | 'account' | 'store' | 'settings'>): Promise<Balance> {
  const rows = await channelSpending({ chain, store })
  const fundsIn = async (token: Hex): Promise<MediumBalance> => {
    const { wallet: walletBase, vault: vaultBase } = await chain.funds(token, account.address)
    const channels = totalsOf(rows.filter((row) => row.token === token))
    const totalBase = walletBase + vaultBase + channels.remainingBase
    return { token, walletBase, vaultBase, channels, totalBase }
  }
  const [mft, coin, medium] = await Promise.all([
    fundsIn(mftOf(chain.deployment)),
    fundsIn(COIN_TOKEN),
    fundsIn(settings.medium.token),
  ])
  return {
    account: account.address,
    mftBase: mft.walletBase,
    vaultBase: mft.vaultBase,
    channels: mft.channels,
    totalBase: mft.totalBase,
    coinBase: coin.walletBase,
    medium,
  }
}
