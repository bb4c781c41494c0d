/** Plain JSON-RPC nodes as people start them: a Hardhat node and anvil, each a process on a free port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHttpProvider, type RequestProvider } from '../../../deploy/provider.ts'
import { claimPort } from '../../../localnet/src/ports.ts'

export const NODE_KINDS = ['Hardhat node', 'anvil'] as const
export type NodeKind = (typeof NODE_KINDS)[number]

export interface TestNode {
  rpcUrl: string
  provider: RequestProvider
  /** Any JSON-RPC call. */
  ask<T = string>(method: string, ...params: unknown[]): Promise<T>
  /** The first of the node's accounts, which deploys where there is no key. */
  account: string
  /** How many transactions an account has sent, those under way included. */
  sent(account?: string): Promise<number>
  /** The state to {@link revert} to, as if the chain had been started anew. */
  snapshot(): Promise<string>
  revert(snapshot: string): Promise<void>
  stop(): Promise<void>
}

export interface NodeOptions {
  chainId?: number
  /** Seconds between blocks of anvil; left out, it makes one a transaction. */
  blockSeconds?: number
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const require = createRequire(import.meta.url)
const START_TIMEOUT_MS = 60_000

export async function startNode(kind: NodeKind, options: NodeOptions = {}): Promise<TestNode> {
  const port = await claimPort(0, 'chain')
  const child = kind === 'anvil' ? spawnAnvil(port, options) : spawnHardhat(port)
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const exited = once(child, 'exit')
  const rpcUrl = `http://127.0.0.1:${port}`
  const provider = createHttpProvider(rpcUrl)
  const ask = async <T>(method: string, ...params: unknown[]) =>
    (await provider.request({ method, params })) as T
  await untilAnswering(provider, child)
  const [account = ''] = await ask<string[]>('eth_accounts')
  return {
    rpcUrl,
    provider,
    ask,
    account,
    sent: async (of = account) => Number(await ask('eth_getTransactionCount', of, 'pending')),
    snapshot: () => ask('evm_snapshot'),
    revert: (snapshot) => ask('evm_revert', snapshot),
    stop: async () => {
      process.off('exit', killAtExit)
      child.kill('SIGKILL')
      await exited
    },
  }
}

function spawnAnvil(port: number, { chainId, blockSeconds }: NodeOptions): ChildProcess {
  const flags = ['--host', '127.0.0.1', '--port', `${port}`, '--silent']
  if (chainId !== undefined) flags.push('--chain-id', `${chainId}`)
  if (blockSeconds !== undefined) flags.push('--block-time', `${blockSeconds}`)
  return spawn(anvilPath(), flags, { stdio: 'ignore' })
}

/** The program itself: the package's own starter would outlive a kill of it. */
function anvilPath(): string {
  const starter = require.resolve('@foundry-rs/anvil/package.json')
  const machine = process.arch === 'x64' ? 'amd64' : process.arch
  const platform = process.platform === 'win32' ? 'win32' : process.platform
  const file = platform === 'win32' ? 'anvil.exe' : 'anvil'
  return createRequire(starter).resolve(`@foundry-rs/anvil-${platform}-${machine}/bin/${file}`)
}

function spawnHardhat(port: number): ChildProcess {
  const cli = join(require.resolve('hardhat/package.json'), '../dist/src/cli.js')
  const flags = ['node', '--hostname', '127.0.0.1', '--port', `${port}`]
  const env = { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true' }
  return spawn(process.execPath, [cli, ...flags], { cwd: ROOT, env, stdio: 'ignore' })
}

async function untilAnswering(provider: RequestProvider, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await provider.request({ method: 'eth_chainId' }).catch(() => undefined)
    if (answer !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the node does not answer')
}
