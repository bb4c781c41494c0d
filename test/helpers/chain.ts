/**
 * A real chain for a test file: a Hardhat node as a process of its own with the contracts on it,
 * and what tests need beyond it: mining on demand, time travel, reorgs, funded accounts.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Deployment, type Hex, mainframeTokenAbi, toHex } from '@mainframe/protocol'
import { Interface, toQuantity, Wallet } from 'ethers'
import { startChain as startLocalChain } from '../../localnet/src/chain.ts'
import { Shutdown } from '../../localnet/src/shutdown.ts'

const token = new Interface(mainframeTokenAbi)

export interface ChainOptions {
  /** Mines every so many milliseconds; 0, the default: a block per transaction, and by {@link TestChain.mine}. */
  intervalMs?: number
}

export interface TestChain {
  rpcUrl: string
  deployment: Deployment
  /** The deployment as a JSON file. */
  deploymentFile: string
  /** Unlocked account with the supply of MFT. */
  treasury: Hex
  /** Any JSON-RPC call. */
  request<T = unknown>(method: string, params?: readonly unknown[]): Promise<T>
  /** Sends from any unlocked or impersonated account and waits for its block. */
  transact(from: Hex, to: Hex, data: Hex): Promise<Hex>
  mine(blocks?: number): Promise<void>
  /** Moves the chain's clock forward and mines one block. */
  passTime(seconds: number): Promise<void>
  /** The state to {@link revert} to: what is mined meanwhile is as if a reorg dropped it. */
  snapshot(): Promise<string>
  revert(snapshot: string): Promise<void>
  /** Gives an account 10 of the chain's coin and that much MFT, in base units, beside what it has. */
  fund(account: Hex, mftBase: bigint): Promise<void>
  /** A new account, funded. */
  createAccount(mftBase: bigint): Promise<{ account: Hex; secretKey: Uint8Array }>
  stop(): Promise<void>
}

export async function startChain({ intervalMs = 0 }: ChainOptions = {}): Promise<TestChain> {
  const folder = await mkdtemp(join(tmpdir(), 'chain-'))
  const shutdown = new Shutdown()
  shutdown.add(() => rm(folder, { recursive: true }))
  const chain = await startLocalChain({ folder, port: 0, shutdown }).catch(async (cause) => {
    await shutdown.stop()
    throw cause
  })
  const { provider, treasury, deployment } = chain
  const killAtExit = () => chain.service.pid && process.kill(chain.service.pid, 'SIGKILL')
  process.once('exit', killAtExit)

  const request = <T>(method: string, params: readonly unknown[] = []) =>
    provider.send(method, [...params]) as Promise<T>
  const mine = async (blocks = 1) => {
    await request('hardhat_mine', [toQuantity(blocks)])
  }
  const transact = async (from: Hex, to: Hex, data: Hex): Promise<Hex> => {
    const hash = await request<Hex>('eth_sendTransaction', [{ from, to, data }])
    await provider.waitForTransaction(hash, 1)
    return hash
  }
  const fund = async (account: Hex, mftBase: bigint) => {
    await request('hardhat_setBalance', [account, toQuantity(10n * 10n ** 18n)])
    const data = token.encodeFunctionData('transfer', [account, mftBase]) as Hex
    if (mftBase > 0n) await transact(treasury, deployment.token, data)
  }
  await request('evm_setIntervalMining', [intervalMs])
  await request('evm_setAutomine', [intervalMs === 0])
  return {
    rpcUrl: chain.rpcUrl,
    deployment,
    deploymentFile: chain.deploymentFile,
    treasury,
    request,
    transact,
    mine,
    passTime: async (seconds) => {
      await request('evm_increaseTime', [seconds])
      await mine()
    },
    snapshot: () => request('evm_snapshot'),
    revert: async (snapshot) => {
      await request('evm_revert', [snapshot])
    },
    fund,
    createAccount: async (mftBase) => {
      const secretKey = Uint8Array.from(randomBytes(32))
      const account = new Wallet(toHex(secretKey)).address.toLowerCase() as Hex
      await fund(account, mftBase)
      return { account, secretKey }
    },
    stop: async () => {
      process.off('exit', killAtExit)
      await shutdown.stop()
    },
  }
}
