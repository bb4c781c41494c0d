/** A network, connected and looked over, before anything is done with it. */
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Hex, MainframeError } from '@mainframe/protocol'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import { type NetworkConfig, readNetwork } from './networks.ts'
import { askNumber, type RequestProvider } from './provider.ts'
import { journalOf } from './records.ts'
import { variablesOf } from './variables.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface Target {
  network: NetworkConfig
  hardhat: HardhatRuntimeEnvironment
  provider: RequestProvider
  /** Holds `addresses.json` and, in `deployments`, the journals. */
  folder: string
  /** `addresses.json`, as short as a person can follow it. */
  file: string
  journal: string
  close(): Promise<void>
}

export interface TargetChoice {
  network: string
  /** Instead of `deploy` for public networks and `data/deploy` for development chains. */
  data?: string
  /** Instead of `deploy/config`. */
  configFolder?: string
}

/**
 * Connects to a network and compiles the contracts. Throws `CONFIG_INVALID`, `CHAIN_UNREACHABLE`, or
 * `CHAIN_MISMATCH` when the RPC is that of another chain.
 */
export async function openTarget(choice: TargetChoice): Promise<Target> {
  const network = readNetwork(choice.network, choice.configFolder)
  // Hardhat takes a second to load: typing errors are answered before
  const { compileContracts, connect, startHardhat } = await import('./hardhat.ts')
  const hardhat = await startHardhat(network.name)
  const { provider, close } = await connect(hardhat)
  try {
    await assertChain(provider, network)
    if (choice.data === undefined) await assertNoRehearsal(provider, network)
    await compileContracts(hardhat)
  } catch (error) {
    await close()
    throw error
  }
  const folder = choice.data ?? join(ROOT, network.isDevelopment ? 'data/deploy' : 'deploy')
  return {
    network,
    hardhat,
    provider,
    folder,
    file: relative(process.cwd(), join(folder, 'addresses.json')),
    journal: join(folder, journalOf(network.chainId)),
    close,
  }
}

/** The account that deploys. Throws `CONFIG_INVALID` when there is none. */
export async function fetchDeployer({ provider, network }: Target): Promise<Hex> {
  const [deployer] = (await provider.request({ method: 'eth_accounts' })) as Hex[]
  if (deployer !== undefined) return deployer
  const { keyVariable } = variablesOf(network.name)
  const message = `The node of ${network.name} has no accounts of its own; set ${keyVariable} in the environment`
  throw new MainframeError('CONFIG_INVALID', message)
}

async function assertChain(provider: RequestProvider, network: NetworkConfig): Promise<void> {
  const chainId = await askNumber(provider, 'eth_chainId')
  if (chainId === network.chainId) return
  const { urlVariable } = variablesOf(network.name)
  throw new MainframeError(
    'CHAIN_MISMATCH',
    `${urlVariable} leads to chain ${chainId}, and deploy/config/${network.name}.json is for chain ${network.chainId}; correct the one that is wrong`,
    { details: { chainId, expected: network.chainId } },
  )
}

/** A fork answers with the chain id of what it forked: its addresses are not to be committed as real. */
async function assertNoRehearsal(provider: RequestProvider, network: NetworkConfig): Promise<void> {
  if (network.isDevelopment) return
  const version = String(await provider.request({ method: 'web3_clientVersion' }))
  if (!/anvil|hardhat/i.test(version)) return
  throw new MainframeError(
    'CONFIG_INVALID',
    `The node is a development node (${version}) that passes for ${network.name}; for a rehearsal give --data with a folder of its own`,
  )
}
