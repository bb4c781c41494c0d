/** The one way in which the contracts are deployed: by localnet, by tests and by `npm run deploy`. */

import {
  type ChainRecord,
  CONTRACT_ROLES,
  type ContractRecord,
  type ContractRole,
  type Deployment,
  type Hex,
  MainframeError,
} from '@mainframe/protocol'
import {
  type DeploymentResult,
  DeploymentResultType,
  deploy,
  type EIP1193Provider,
} from '@nomicfoundation/ignition-core'
import { keccak256 } from 'ethers'
import { createArtifactResolver, isCodeOf, readArtifact } from './artifacts.ts'
import { CONTRACTS } from './contracts.ts'
import { explainFailure, explainResult } from './failures.ts'
import { type JournalEntry, mendJournal, readJournal } from './journal.ts'
import mainframeModule from './modules/mainframe.ts'
import type { DeploymentParameters } from './networks.ts'
import { createListener, type Progress } from './progress.ts'
import { askNumber, createHttpProvider, fetchCode, type RequestProvider } from './provider.ts'
import { recoverTransactions } from './recover.ts'

/** How often to look for a new block; a local chain makes several a second. */
const LOCAL_POLLING_MS = 50
/** How long the node may not know a transaction that it took, before it counts as dropped. */
const PATIENCE_MS = 60_000

/** Where and how to deploy: through `provider`, or through the JSON-RPC node at `rpcUrl`. */
export interface DeployOptions {
  provider?: RequestProvider
  rpcUrl?: string
  /** Journal of the deployment; a second run in the same folder finishes or finds the first one. */
  deploymentDir: string
  parameters?: DeploymentParameters
  /** Blocks until a deployment counts, default 1: public chains want more. */
  confirmations?: number
  /** Milliseconds between looks at the chain, default 50: public nodes want fewer. */
  pollingMs?: number
  onProgress?: (progress: Progress) => void
}

/**
 * Deploys the four contracts with the first account of the provider, finishes what a killed run began, or
 * finds them when the folder's journal says that they are deployed.
 * Refuses with CHAIN_UNREACHABLE, CHAIN_REJECTED (a transaction failed), CHAIN_MISMATCH (the folder
 * belongs to another chain, other parameters or other bytecode).
 */
export async function deployContracts(options: DeployOptions): Promise<Deployment> {
  const provider = resolveProvider(options)
  const { deploymentDir, parameters = {}, onProgress } = options
  const { confirmations = 1, pollingMs = LOCAL_POLLING_MS } = options
  const waiting = { confirmations, pollingMs, patienceMs: PATIENCE_MS }
  await mendJournal(deploymentDir)
  await assertJournal(provider, deploymentDir)
  const accounts = (await provider.request({ method: 'eth_accounts' })) as string[]
  try {
    await recoverTransactions({ provider, deploymentDir, ...waiting })
    const result = await deploy({
      config: {
        blockPollingInterval: pollingMs,
        requiredConfirmations: confirmations,
        retryInterval: pollingMs,
        maxRetries: Math.ceil(PATIENCE_MS / pollingMs),
      },
      artifactResolver: createArtifactResolver(),
      provider: provider as EIP1193Provider,
      deploymentDir,
      ignitionModule: mainframeModule,
      deploymentParameters: { [mainframeModule.id]: definedOnly(parameters) },
      accounts,
      ...(onProgress && { executionEventListener: createListener(onProgress) }),
    })
    assertDeployed(result)
  } catch (error) {
    throw explainFailure(error)
  }
  const entries = await assertJournal(provider, deploymentDir)
  const chainId = await askNumber(provider, 'eth_chainId')
  return { chainId, block: Math.min(...entries.map(blockOf)), ...byRole(entries, addressOf) }
}

/**
 * The entries of a journal, whose contracts must be on this chain: it outlives a development chain.
 * Refuses with `CHAIN_MISMATCH`.
 */
export async function assertJournal(
  provider: RequestProvider,
  deploymentDir: string,
): Promise<JournalEntry[]> {
  const entries = await readJournal(deploymentDir)
  for (const { contract, address } of entries) {
    if (address === undefined) continue
    const code = await fetchCode(provider, address)
    if (code !== '0x' && isCodeOf(await readArtifact(contract), code)) continue
    const found = code === '0x' ? 'no contract' : 'another contract'
    throw new MainframeError(
      'CHAIN_MISMATCH',
      `An earlier run deployed ${contract} to ${address}, where this chain has ${found}`,
      { details: { contract, address } },
    )
  }
  return entries
}

/** What is written down of a complete deployment. Throws as {@link deployContracts} does. */
export async function readRecord(
  provider: RequestProvider,
  deploymentDir: string,
): Promise<ChainRecord> {
  const entries = await readJournal(deploymentDir)
  const codes = new Map<JournalEntry, Hex>()
  for (const entry of entries) codes.set(entry, await fetchCode(provider, addressOf(entry)))
  return byRole(
    entries,
    (entry): ContractRecord => ({
      address: addressOf(entry),
      block: blockOf(entry),
      codeHash: keccak256(codes.get(entry) ?? '0x') as Hex,
      arguments: entry.arguments,
    }),
  )
}

function resolveProvider({ provider, rpcUrl }: DeployOptions): RequestProvider {
  if (provider !== undefined) return provider
  if (rpcUrl !== undefined) return createHttpProvider(rpcUrl)
  throw new MainframeError('VALIDATION_FAILED', 'a provider or an rpcUrl is needed')
}

function definedOnly(parameters: DeploymentParameters): Record<string, string | number | bigint> {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined))
}

function assertDeployed(result: DeploymentResult): void {
  if (result.type !== DeploymentResultType.SUCCESSFUL_DEPLOYMENT) throw explainResult(result)
}

function byRole<T>(entries: readonly JournalEntry[], value: (entry: JournalEntry) => T) {
  const pairs = CONTRACT_ROLES.map((role) => {
    const entry = entries.find(({ contract }) => contract === CONTRACTS[role])
    if (entry === undefined) throw incomplete(CONTRACTS[role])
    return [role, value(entry)] as const
  })
  return Object.fromEntries(pairs) as Record<ContractRole, T>
}

function addressOf({ contract, address }: JournalEntry): Hex {
  if (address === undefined) throw incomplete(contract)
  return address
}

function blockOf({ contract, block }: JournalEntry): number {
  if (block === undefined) throw incomplete(contract)
  return block
}

function incomplete(contract: string): MainframeError {
  return new MainframeError('INTERNAL', `the journal has no end for ${contract}`)
}
