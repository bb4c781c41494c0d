/** Accounts with coin and MFT from the chain's treasury. */
import type { Hex } from '@mainframe/protocol'
import { mainframeTokenAbi } from '@mainframe/protocol'
import { Interface, type JsonRpcProvider, toQuantity } from 'ethers'
import type { Chain } from './chain.ts'

const token = new Interface(mainframeTokenAbi)
const ONE_COIN = 10n ** 18n

/** What an account starts with, in base units of MFT; coin for gas comes along. */
export interface Grant {
  account: Hex
  mft: bigint
}

/** Sends every grant from the treasury and resolves when all are mined. */
export async function fundAccounts(
  chain: Pick<Chain, 'provider' | 'treasury' | 'deployment'>,
  grants: readonly Grant[],
): Promise<void> {
  const { provider, treasury, deployment } = chain
  const send = (transaction: Record<string, string>) =>
    provider.send('eth_sendTransaction', [{ from: treasury, ...transaction }]) as Promise<Hex>
  const hashes: Hex[] = []
  for (const { account, mft } of grants) {
    hashes.push(await send({ to: account, value: toQuantity(ONE_COIN) }))
    if (mft === 0n) continue
    const data = token.encodeFunctionData('transfer', [account, mft])
    hashes.push(await send({ to: deployment.token, data }))
  }
  await Promise.all(hashes.map((hash) => waitMined(provider, hash)))
}

async function waitMined(provider: JsonRpcProvider, hash: Hex): Promise<void> {
  await provider.waitForTransaction(hash, 1)
}
