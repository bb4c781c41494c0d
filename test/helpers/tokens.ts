/** Tokens beside MFT on the chain of a test: mocks of the contract tests, compiled on the spot. */
import { readFileSync } from 'node:fs'
import type { Hex } from '@mainframe/protocol'
import { Interface, toQuantity } from 'ethers'
import { compile, SETTINGS } from '../../scripts/mutants/compiler.ts'
import type { TestChain } from './chain.ts'

/** `DollarToken` has 6 decimals and takes permits, `HonestToken` knows only what every ERC-20 does. */
export type TokenName = 'DollarToken' | 'HonestToken'

export interface TestToken {
  address: Hex
  /** Gives an account so many base units. */
  give(account: Hex, base: bigint): Promise<void>
  balanceOf(account: Hex): Promise<bigint>
}

const erc20 = new Interface([
  'function transfer(address to, uint256 value) returns (bool)',
  'function balanceOf(address owner) view returns (uint256)',
])

export async function deployToken(chain: TestChain, name: TokenName): Promise<TestToken> {
  const file = `test/contracts/mocks/${name}.sol`
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
  const [settings] = SETTINGS
  if (!settings) throw new TypeError('the compiler has no settings')
  const compiled = compile(new Map([[file, text]]), [file], settings)
  if (typeof compiled === 'string') throw new TypeError(compiled)
  const [code] = compiled
  const { request, treasury } = chain
  const transaction = { from: treasury, data: code?.bytecode, gas: toQuantity(5_000_000) }
  const hash = await request<Hex>('eth_sendTransaction', [transaction])
  await chain.mine()
  const receipt = await request<{ contractAddress: Hex }>('eth_getTransactionReceipt', [hash])
  const address = receipt.contractAddress.toLowerCase() as Hex
  return {
    address,
    give: async (account, base) => {
      const data = erc20.encodeFunctionData('transfer', [account, base]) as Hex
      await chain.transact(treasury, address, data)
    },
    balanceOf: async (account) => {
      const data = erc20.encodeFunctionData('balanceOf', [account])
      return BigInt(await request<Hex>('eth_call', [{ to: address, data }, 'latest']))
    },
  }
}
