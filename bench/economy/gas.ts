/** What channels have cost on chain: every transaction that the contract logged. */
import type { Chain } from '@mainframe/localnet'
import { paymentChannelsAbi } from '@mainframe/protocol'
import { Contract } from 'ethers'

export interface ChannelGas {
  /** Turning vouchers into money. */
  claims: bigint
  /** Opening channels and adding to them. */
  deposits: bigint
}

const DEPOSITS = ['Opened', 'ToppedUp']

export async function readChannelGas({ provider, deployment }: Chain): Promise<ChannelGas> {
  const channels = new Contract(deployment.channels, paymentChannelsAbi, provider)
  const spentOn = async (names: readonly string[]) => {
    const logs = await Promise.all(names.map((name) => channels.queryFilter(name, 0)))
    const hashes = [...new Set(logs.flat().map(({ transactionHash }) => transactionHash))]
    const receipts = await Promise.all(hashes.map((hash) => provider.getTransactionReceipt(hash)))
    return receipts.reduce((sum, receipt) => sum + (receipt?.gasUsed ?? 0n), 0n)
  }
  return { claims: await spentOn(['Claimed']), deposits: await spentOn(DEPOSITS) }
}
