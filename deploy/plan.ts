/** What a deployment would do and cost, worked out without sending anything. */
import type { Hex } from '@mainframe/protocol'
import {
  batches,
  isAccountRuntimeValue,
  isFuture,
  isModuleParameterRuntimeValue,
  isNamedContractDeploymentFuture,
  type NamedArtifactContractDeploymentFuture,
} from '@nomicfoundation/ignition-core'
import { concat, getCreateAddress, Interface } from 'ethers'
import { readArtifact } from './artifacts.ts'
import { type JournalEntry, readJournal } from './journal.ts'
import mainframeModule from './modules/mainframe.ts'
import type { DeploymentParameters } from './networks.ts'
import { countTransactions, type RequestProvider } from './provider.ts'

/** A contract in the order of deployment. */
export interface PlannedContract {
  contract: string
  address: Hex
  /** What is left to do: deploy it, wait for a transaction that was sent, or nothing. */
  state: 'to deploy' | 'sent' | 'deployed'
  arguments: readonly { name: string; value: string }[]
  /** What its deployment takes as the chain estimates it; 0 once it is sent. */
  gas: bigint
}

export interface Plan {
  /** The account that deploys. */
  deployer: Hex
  contracts: readonly PlannedContract[]
  /** In wei, now. */
  gasPrice: bigint
  gas: bigint
  /** In wei at the present price of gas. */
  cost: bigint
  /** What the deployer has, in wei. */
  balance: bigint
}

export interface PlanOptions {
  provider: RequestProvider
  /** The account that deploys. */
  deployer: Hex
  /** Journal of an earlier run that a deployment would go on with; it is only read. */
  deploymentDir?: string | undefined
  parameters: DeploymentParameters
}

type Deployed = NamedArtifactContractDeploymentFuture<string>
type Addresses = ReadonlyMap<string, Hex>

/** What {@link deployContracts} would do with the same options. */
export async function planDeployment(options: PlanOptions): Promise<Plan> {
  const { provider, deployer, deploymentDir } = options
  const entries = deploymentDir === undefined ? [] : await readJournal(deploymentDir)
  const nonce = await countTransactions(provider, deployer, 'pending')
  const steps = arrange(entries, { deployer, nonce })
  const addresses = new Map(steps.map(({ future, address }) => [future.id, address]))
  const contracts: PlannedContract[] = []
  for (const step of steps) contracts.push(await planContract(step, { ...options, addresses }))
  const gas = contracts.reduce((sum, contract) => sum + contract.gas, 0n)
  const ask = async (method: string, ...params: unknown[]) =>
    BigInt((await provider.request({ method, params })) as string)
  const gasPrice = await ask('eth_gasPrice')
  const balance = await ask('eth_getBalance', deployer, 'latest')
  return { deployer, contracts, gasPrice, gas, cost: gas * gasPrice, balance }
}

/** What the constructor of each contract is given, by its name, when the contracts are at `addresses`. */
export function constructorArguments(
  parameters: DeploymentParameters & { treasury: Hex },
  addresses: (contract: string) => Hex | undefined,
): Map<string, string[]> {
  const futures = inOrder()
  const places = new Map(
    futures.map(({ id, contractName }) => [id, addresses(contractName) ?? '0x']),
  )
  const context = { parameters, deployer: parameters.treasury, addresses: places }
  const given = (future: Deployed) =>
    future.constructorArgs.map((one) => `${resolve(one, context)}`)
  return new Map(futures.map((future) => [future.contractName, given(future)]))
}

interface Step {
  future: Deployed
  state: PlannedContract['state']
  address: Hex
}

/** The contracts with what is left to do, and the addresses that follow from the account's nonces. */
function arrange(
  entries: readonly JournalEntry[],
  { deployer, nonce }: { deployer: Hex; nonce: number },
): Step[] {
  let next = nonce
  return inOrder().map((future) => {
    const entry = entries.find(({ futureId }) => futureId === future.id)
    if (entry?.address !== undefined) return { future, state: 'deployed', address: entry.address }
    // an earlier run may have sent it and have been killed before it wrote that down
    const isSent = entry?.nonce !== undefined && entry.nonce < nonce && entry.end !== 'failed'
    const state = isSent ? 'sent' : 'to deploy'
    const own = isSent ? entry.nonce : next++
    return { future, state, address: getCreateAddress({ from: deployer, nonce: own ?? 0 }) as Hex }
  })
}

/** The contracts of the module in the order in which Ignition sends them. */
function inOrder(): Deployed[] {
  const byId = new Map([...mainframeModule.futures].map((future) => [future.id, future]))
  return batches(mainframeModule)
    .flat()
    .map((id) => byId.get(id))
    .filter((future): future is Deployed => !!future && isNamedContractDeploymentFuture(future))
}

interface Context {
  parameters: DeploymentParameters
  deployer: Hex
  addresses: Addresses
}

async function planContract(
  { future, state, address }: Step,
  { provider, ...context }: Context & { provider: RequestProvider },
): Promise<PlannedContract> {
  const { abi, bytecode } = await readArtifact(future.contractName)
  const contract = new Interface(abi)
  const values = future.constructorArgs.map((argument) => resolve(argument, context))
  const data = concat([bytecode, contract.encodeDeploy(values)])
  const estimate = async () => {
    const params = [{ from: context.deployer, data }]
    return BigInt((await provider.request({ method: 'eth_estimateGas', params })) as string)
  }
  return {
    contract: future.contractName,
    address,
    state,
    arguments: contract.deploy.inputs.map(({ name }, index) => ({
      name,
      value: `${values[index]}`,
    })),
    gas: state === 'to deploy' ? await estimate() : 0n,
  }
}

/** An argument of the module as what the constructor is given. */
function resolve(argument: unknown, context: Context): unknown {
  if (isFuture(argument)) return context.addresses.get(argument.id)
  if (isAccountRuntimeValue(argument)) return context.deployer
  if (!isModuleParameterRuntimeValue(argument)) return argument
  const given = context.parameters[argument.name as keyof DeploymentParameters]
  return given ?? resolve(argument.defaultValue, context)
}
