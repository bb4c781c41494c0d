/** Where the contracts of a network are, as deploying writes it down and everybody else reads it (docs/deploying.md). */
import type { Hex } from './bytes.ts'
import type { Deployment } from './directory/events.ts'
import { MainframeError } from './errors.ts'

/** The contracts of a deployment, by what they are to the network. */
export const CONTRACT_ROLES = ['token', 'registry', 'board', 'channels'] as const
export type ContractRole = (typeof CONTRACT_ROLES)[number]

/** One deployed contract as `deploy/addresses.json` holds it. */
export interface ContractRecord {
  address: Hex
  /** The block that it was deployed in. */
  block: number
  /** Keccak-256 of its code on the chain. */
  codeHash: Hex
  /** What its constructor was given; amounts in decimal digits. */
  arguments: readonly string[]
}

export type ChainRecord = Record<ContractRole, ContractRecord>

export interface DeploymentSource {
  /** The chain that is wanted; needed where the file holds several. */
  chainId?: number | undefined
  /** How sentences about faults name the source. */
  where?: string
}

/**
 * The deployment in a parsed deployment file, with addresses in lower case. The file is either keyed by
 * chain id, as `deploy/addresses.json` is, or holds the one deployment itself. Throws `CONFIG_INVALID`.
 */
export function parseDeployment(value: unknown, source: DeploymentSource = {}): Deployment {
  const fault = (problem: string) =>
    new MainframeError('CONFIG_INVALID', `In ${source.where ?? 'the deployment'}, ${problem}`)
  const file = fields(value)
  if (file === undefined) throw fault('there is no JSON object')
  if (!('chainId' in file)) return fromChains(file, source.chainId, fault)
  const { chainId, block, ...addresses } = file
  if (!isCount(chainId) || chainId === 0) throw fault('chainId is no positive number')
  if (source.chainId !== undefined && source.chainId !== chainId) {
    throw fault(`the chain is ${chainId} and not ${source.chainId}`)
  }
  if (!isCount(block)) throw fault('block is no block number')
  const address = (role: ContractRole) => parseAddress(addresses[role], role, fault)
  return { chainId, block, ...byRole(address) }
}

type Fault = (problem: string) => MainframeError

function fromChains(chains: Fields, wanted: number | undefined, fault: Fault): Deployment {
  const chainId = chooseChain(Object.keys(chains), wanted, fault)
  const contracts = fields(chains[chainId]) ?? {}
  const blocks: number[] = []
  const address = (role: ContractRole) => {
    const contract = fields(contracts[role])
    if (contract === undefined) throw fault(`${role} is missing for chain ${chainId}`)
    if (!isCount(contract['block'])) throw fault(`${role}.block is no block number`)
    blocks.push(contract['block'])
    return parseAddress(contract['address'], `${role}.address`, fault)
  }
  const addresses = byRole(address)
  return { chainId: Number(chainId), block: Math.min(...blocks), ...addresses }
}

function chooseChain(ids: readonly string[], wanted: number | undefined, fault: Fault): string {
  const foreign = ids.find((id) => !/^[1-9]\d*$/.test(id))
  if (foreign !== undefined) throw fault(`${foreign} is neither a chain id nor of a deployment`)
  const known = ids.length === 0 ? 'none' : `only ${ids.join(', ')}`
  if (wanted !== undefined) {
    if (ids.includes(`${wanted}`)) return `${wanted}`
    throw fault(`chain ${wanted} is missing; there is ${known}`)
  }
  const [only, ...others] = ids
  if (only === undefined) throw fault('there is no chain: nothing was deployed yet')
  if (others.length > 0)
    throw fault(`there are chains ${ids.join(', ')}: say which by its chain id`)
  return only
}

function byRole(address: (role: ContractRole) => Hex): Record<ContractRole, Hex> {
  return {
    token: address('token'),
    registry: address('registry'),
    board: address('board'),
    channels: address('channels'),
  }
}

function parseAddress(value: unknown, name: string, fault: Fault): Hex {
  if (value === undefined) throw fault(`${name} is missing`)
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{40}$/.test(value)) {
    return value.toLowerCase() as Hex
  }
  throw fault(`${name} is no address (0x and 40 hex digits)`)
}

type Fields = Readonly<Record<string, unknown>>

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : undefined
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
