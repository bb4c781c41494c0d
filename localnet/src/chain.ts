/** A local EVM chain: a Hardhat node as a process of its own, and the contracts on it. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Deployment, type Hex, MainframeError } from '@mainframe/protocol'
import { JsonRpcProvider } from 'ethers'
import { compileAlone } from '../../deploy/compile-lock.ts'
import { deployContracts } from '../../deploy/deploy.ts'
import { readNetwork } from '../../deploy/networks.ts'
import { repositoryFile } from './paths.ts'
import { claimPort } from './ports.ts'
import { Service } from './service.ts'
import type { Shutdown } from './shutdown.ts'

const HARDHAT = createRequire(import.meta.url).resolve('hardhat/package.json')
const HARDHAT_CLI = join(HARDHAT, '..', 'dist', 'src', 'cli.js')
const START_TIMEOUT_MS = 30_000
const POLL_MS = 50

export interface Chain {
  rpcUrl: string
  provider: JsonRpcProvider
  deployment: Deployment
  /** The deployment as a file, which is how indexer and relays read it. */
  deploymentFile: string
  /** Account that holds the supply of MFT, unlocked on the node. */
  treasury: Hex
  service: Service
}

export interface ChainOptions {
  folder: string
  /** 0 for a free port. */
  port: number
  shutdown: Shutdown
}

/** Compiles what is not compiled yet. Throws `INTERNAL` with the compiler's message. */
export async function compileContracts(): Promise<void> {
  const args = [HARDHAT_CLI, 'build', '--no-tests', '--no-typechain', '--quiet']
  const options = { cwd: repositoryFile('') }
  await compileAlone(() => promisify(execFile)(process.execPath, args, options)).catch(
    (cause: unknown) => {
      throw new MainframeError(
        'INTERNAL',
        'The contracts do not compile; run `npx hardhat build`',
        {
          cause,
        },
      )
    },
  )
}

/** Starts the chain and deploys the contracts to it by the Ignition module. */
export async function startChain({ folder, port, shutdown }: ChainOptions): Promise<Chain> {
  await mkdir(folder, { recursive: true })
  // First, because a Hardhat node reads the artifacts when it starts.
  await compileContracts()
  const rpcPort = await claimPort(port, 'chain')
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
      `${rpcPort}`,
    ],
    logFile: join(folder, 'chain.log'),
    env: { HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true' },
  })
  shutdown.add(() => service.stop())
  const rpcUrl = `http://127.0.0.1:${rpcPort}`
  const provider = await connect(rpcUrl, service)
  shutdown.add(async () => provider.destroy())
  const deployment = await deployContracts({
    rpcUrl,
    deploymentDir: join(folder, 'deployment'),
    parameters: readNetwork('localhost').parameters,
  })
  const deploymentFile = join(folder, 'deployment.json')
  await writeFile(deploymentFile, JSON.stringify(deployment, null, 2))
  const [treasury] = (await provider.send('eth_accounts', [])) as Hex[]
  if (!treasury) throw new MainframeError('CHAIN_MISMATCH', 'The chain has no unlocked account')
  return { rpcUrl, provider, deployment, deploymentFile, treasury, service }
}

async function connect(rpcUrl: string, service: Service): Promise<JsonRpcProvider> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && service.isRunning) {
    const answer = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
    }).catch(() => undefined)
    if (answer?.ok) return localProvider(rpcUrl)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw service.failure('does not answer')
}

/** A provider that looks often, as a local chain mines several blocks a second. */
export function localProvider(rpcUrl: string): JsonRpcProvider {
  return new JsonRpcProvider(rpcUrl, undefined, {
    polling: true,
    pollingInterval: POLL_MS,
    cacheTimeout: -1,
    staticNetwork: true,
  })
}
