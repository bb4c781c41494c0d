/**
 * A real chain for a test file: a Hardhat node as a process of its own with the contracts on it,
 * and what tests need beyond it: mining on demand, time travel, reorgs, funded accounts.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Deployment,
  type Hex,
  mainframeTokenAbi,
  parseDeployment,
  toHex,
} from '@mainframe/protocol'
import { Interface, toQuantity, Wallet } from 'ethers'
import { deployContracts } from '../../deploy/deploy.ts'
import { readNetwork } from '../../deploy/networks.ts'
import { compileContracts, localProvider } from '../../localnet/src/chain.ts'
import { claimPort } from '../../localnet/src/ports.ts'
import { Service } from '../../localnet/src/service.ts'
import { Shutdown } from '../../localnet/src/shutdown.ts'

const HARDHAT_CLI = join(
  createRequire(import.meta.url).resolve('hardhat/package.json'),
  '../dist/src/cli.js',
)
const CONTRACTS = new URL('../../contracts/', import.meta.url)
const ARTIFACTS = new URL('../../artifacts/contracts/', import.meta.url)

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
  try {
    return await startIn(folder, shutdown, intervalMs)
  } catch (cause) {
    await shutdown.stop()
    throw cause
  }
}

async function startIn(folder: string, shutdown: Shutdown, intervalMs: number): Promise<TestChain> {
  const port = await claimPort(0, 'chain')
  const service = new Service({
    name: 'chain',
    args: [
      HARDHAT_CLI,
      'node',
      '--network',
      'node',
      '--hostname',
      '127.0.0.1',
      '--port',
      `${port}`,
    ],
    logFile: join(folder, 'chain.log'),
  })
  const killAtExit = () => service.pid !== undefined && process.kill(service.pid, 'SIGKILL')
  process.once('exit', killAtExit)
  shutdown.add(async () => {
    await service.stop()
    process.off('exit', killAtExit)
  })
  const rpcUrl = `http://127.0.0.1:${port}`
  const provider = localProvider(rpcUrl)
  shutdown.add(async () => provider.destroy())
  if (!(await isCompiled())) await compileContracts()
  await answering(rpcUrl, service)
  const request = <T>(method: string, params: readonly unknown[] = []) =>
    provider.send(method, [...params]) as Promise<T>
  await request('evm_setIntervalMining', [intervalMs])
  await request('evm_setAutomine', [intervalMs === 0])
  const deploymentDir = join(folder, 'deployment')
  const { parameters } = readNetwork('localhost')
  const deployed = await deployContracts({ rpcUrl, deploymentDir, parameters })
  const deployment = parseDeployment(deployed, { where: 'the deployment of a test' })
  const deploymentFile = join(folder, 'deployment.json')
  await writeFile(deploymentFile, JSON.stringify(deployment))
  const [treasury = '0x'] = await request<Hex[]>('eth_accounts')

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
  return {
    rpcUrl,
    deployment,
    deploymentFile,
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
    stop: () => shutdown.stop(),
  }
}

async function answering(rpcUrl: string, service: Service): Promise<void> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] })
  const headers = { 'content-type': 'application/json' }
  while (!(await fetch(rpcUrl, { method: 'POST', headers, body }).catch(() => undefined))?.ok) {
    if (!service.isRunning) await service.waitFor('ready', 0) // throws with its last words
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Whether no source is newer than the compiler's output: asking Hardhat takes seconds. */
async function isCompiled(): Promise<boolean> {
  const sources = await readdir(CONTRACTS, { recursive: true })
  const times = sources.map(async (name) => (await stat(new URL(name, CONTRACTS))).mtimeMs)
  const newest = Math.max(...(await Promise.all(times)))
  const artifact = new URL('PaymentChannels.sol/PaymentChannels.json', ARTIFACTS)
  return await stat(artifact).then(
    ({ mtimeMs }) => mtimeMs > newest,
    () => false,
  )
}
