import { readFile } from 'node:fs/promises'
import { MainframeError } from '@mainframe/protocol'
import {
  type Artifact,
  type ArtifactResolver,
  type DeploymentResult,
  DeploymentResultType,
  deploy,
  type EIP1193Provider,
  listTransactions,
  type SuccessfulDeploymentResult,
} from '@nomicfoundation/ignition-core'
import mainframeModule from './modules/mainframe.ts'
import { createHttpProvider, type RequestProvider } from './provider.ts'

/** How often to look for a new block; a local chain makes several a second. */
const POLLING_MS = 50
/** Looks at a receipt before giving up: a minute together with the interval above. */
const RECEIPT_RETRIES = 1_200

/** The parameters of the module; amounts in base units. Those left out are a public network's. */
export interface DeploymentParameters {
  /** Receives the whole supply of MFT; by default the deploying account. */
  treasury?: string
  minimumStake?: bigint
  unbondingPeriodSeconds?: number
  priceDelaySeconds?: number
  minimumNoticeSeconds?: number
  maximumNoticeSeconds?: number
}

/** Where and how to deploy: through `provider`, or through the JSON-RPC node at `rpcUrl`. */
export interface DeployOptions {
  provider?: RequestProvider
  rpcUrl?: string
  /** Journal of the deployment; a second run in the same folder finishes or finds the first one. */
  deploymentDir: string
  parameters?: DeploymentParameters
  /** Compiled contracts, by default those of this repository (`hardhat build`). */
  artifactsDir?: URL
  /** Blocks until a deployment counts, default 1: public chains want more. */
  confirmations?: number
}

/** The contracts of one chain. */
export interface Deployment {
  chainId: number
  /** The block of the first deployed contract: no log of the project is older. */
  block: number
  token: string
  registry: string
  board: string
  channels: string
}

/**
 * Deploys the four contracts with the chain's unlocked accounts, or finds them when the folder's journal
 * says that they are deployed.
 * Refuses with CHAIN_UNREACHABLE, CHAIN_REJECTED (a transaction failed), CHAIN_MISMATCH (the folder
 * belongs to another chain, other parameters or other bytecode).
 */
export async function deployContracts(options: DeployOptions): Promise<Deployment> {
  const provider = resolveProvider(options)
  const artifactResolver = createArtifactResolver(options.artifactsDir)
  const { deploymentDir, parameters = {}, confirmations = 1 } = options
  const [chainId, accounts] = await Promise.all([
    provider.request({ method: 'eth_chainId' }) as Promise<string>,
    provider.request({ method: 'eth_accounts' }) as Promise<string[]>,
  ])
  const result = await deploy({
    config: {
      blockPollingInterval: POLLING_MS,
      requiredConfirmations: confirmations,
      retryInterval: POLLING_MS,
      maxRetries: RECEIPT_RETRIES,
    },
    artifactResolver,
    provider: provider as EIP1193Provider,
    deploymentDir,
    ignitionModule: mainframeModule,
    deploymentParameters: { [mainframeModule.id]: definedOnly(parameters) },
    accounts,
  })
  const contracts = assertDeployed(result)
  await assertCode(provider, Object.values(contracts))
  const block = await firstBlock(provider, deploymentDir, artifactResolver)
  return { chainId: Number(chainId), block, ...contracts }
}

function resolveProvider({ provider, rpcUrl }: DeployOptions): RequestProvider {
  if (provider !== undefined) return provider
  if (rpcUrl !== undefined) return createHttpProvider(rpcUrl)
  throw new MainframeError('VALIDATION_FAILED', 'a provider or an rpcUrl is needed')
}

/** Reads Hardhat's artifacts without starting Hardhat, which would take a second. */
function createArtifactResolver(
  artifactsDir = new URL('../artifacts/', import.meta.url),
): ArtifactResolver {
  return {
    async loadArtifact(name) {
      const file = new URL(`contracts/${name}.sol/${name}.json`, artifactsDir)
      return JSON.parse(await readFile(file, 'utf8')) as Artifact
    },
    // only source verification asks for it
    getBuildInfo: async () => undefined,
  }
}

function definedOnly(parameters: DeploymentParameters): Record<string, string | number | bigint> {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined))
}

type Addresses = Pick<Deployment, 'token' | 'registry' | 'board' | 'channels'>

function assertDeployed(result: DeploymentResult): Addresses {
  if (result.type === DeploymentResultType.SUCCESSFUL_DEPLOYMENT) return addressesOf(result)
  const code =
    result.type === DeploymentResultType.EXECUTION_ERROR ? 'CHAIN_REJECTED' : 'CHAIN_MISMATCH'
  throw new MainframeError(code, `the contracts could not be deployed (${result.type})`, {
    details: JSON.parse(JSON.stringify(result)),
  })
}

function addressesOf({ contracts }: SuccessfulDeploymentResult): Addresses {
  const address = (name: string): string => {
    const contract = contracts[`${mainframeModule.id}#${name}`]
    if (contract === undefined) throw new MainframeError('INTERNAL', `the module lacks ${name}`)
    return contract.address
  }
  return {
    token: address('MainframeToken'),
    registry: address('ServiceRegistry'),
    board: address('PriceBoard'),
    channels: address('PaymentChannels'),
  }
}

/** The journal outlives a development chain: what it names must be there. */
async function assertCode(provider: RequestProvider, addresses: string[]): Promise<void> {
  for (const address of addresses) {
    const code = await provider.request({ method: 'eth_getCode', params: [address, 'latest'] })
    if (code === '0x') {
      const message = 'the folder records a deployment that this chain does not have'
      throw new MainframeError('CHAIN_MISMATCH', message, { details: { address } })
    }
  }
}

async function firstBlock(
  provider: RequestProvider,
  deploymentDir: string,
  artifactResolver: ArtifactResolver,
): Promise<number> {
  const transactions = await listTransactions(deploymentDir, artifactResolver)
  const blocks = transactions.map(async ({ txHash }) => {
    const receipt = (await provider.request({
      method: 'eth_getTransactionReceipt',
      params: [txHash],
    })) as { blockNumber: string } | null
    return receipt === null ? Number.POSITIVE_INFINITY : Number(receipt.blockNumber)
  })
  return Math.min(...(await Promise.all(blocks)))
}
