/** `addresses.json`: what is deployed where, by chain id. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { type ChainRecord, CONTRACT_ROLES, type Hex, MainframeError } from '@mainframe/protocol'
import { keccak256 } from 'ethers'
import { diskFailure, isErrno } from '../node/src/storage/durable-file.ts'
import { isCodeOf, readArtifact } from './artifacts.ts'
import { CONTRACTS } from './contracts.ts'
import type { NetworkConfig } from './networks.ts'
import { constructorArguments } from './plan.ts'
import { fetchCode, type RequestProvider } from './provider.ts'

type Records = Record<string, ChainRecord>

/** What the file says of a chain. Throws `STORE_CORRUPT` for a file that is no records. */
export async function readChainRecord(
  file: string,
  chainId: number,
): Promise<ChainRecord | undefined> {
  return (await readRecords(file))[chainId]
}

/** Adds a chain to the file, or replaces it; after a crash the file is the old one or the new one. */
export async function writeChainRecord(
  file: string,
  chainId: number,
  record: ChainRecord,
): Promise<void> {
  const records = { ...(await readRecords(file)), [chainId]: record }
  await replaceFile(file, records)
}

/** Takes a chain out of the file. */
export async function removeChainRecord(file: string, chainId: number): Promise<void> {
  const records = await readRecords(file)
  if (!(chainId in records)) return
  delete records[chainId]
  await replaceFile(file, records)
}

async function replaceFile(file: string, records: Records): Promise<void> {
  const temporary = `${file}.${process.pid}`
  try {
    await writeFile(temporary, `${JSON.stringify(records, null, 2)}\n`, { flush: true })
    await rename(temporary, file)
  } catch (cause) {
    throw diskFailure(file, cause)
  }
}

async function readRecords(file: string): Promise<Records> {
  try {
    const records = JSON.parse(await readFile(file, 'utf8')) as unknown
    if (isRecords(records)) return records
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return {}
    if (!(cause instanceof SyntaxError)) throw diskFailure(file, cause)
  }
  const message = `${file} does not hold the addresses of deployments; restore it from version control or a copy`
  throw new MainframeError('STORE_CORRUPT', message)
}

function isRecords(value: unknown): value is Records {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((chain: Record<string, Record<string, unknown>> | null) =>
    CONTRACT_ROLES.every((role) => {
      const { address, block, codeHash, arguments: given } = chain?.[role] ?? {}
      const isText = [address, codeHash].every((text) => typeof text === 'string')
      return isText && typeof block === 'number' && Array.isArray(given)
    }),
  )
}

/** Where records are from, for what is compared and for the sentences about what is wrong. */
export interface RecordOrigin {
  provider: RequestProvider
  network: NetworkConfig
  /** As people find it. */
  file: string
}

/**
 * Refuses with `CHAIN_MISMATCH` when the chain has not the contracts of the record, or the record not those
 * of the sources and parameters here.
 */
export async function assertRecord(record: ChainRecord, origin: RecordOrigin): Promise<void> {
  const { provider, network, file } = origin
  // without a treasury in the parameters it was whoever deployed
  const treasury = network.parameters.treasury ?? (record.token.arguments[0] as Hex)
  const given = constructorArguments({ ...network.parameters, treasury }, (contract) => {
    const role = CONTRACT_ROLES.find((candidate) => CONTRACTS[candidate] === contract)
    return role && record[role].address
  })
  for (const role of CONTRACT_ROLES) {
    const contract = CONTRACTS[role]
    const { address, codeHash, arguments: recorded } = record[role]
    const code = await fetchCode(provider, address)
    if (keccak256(code) !== codeHash) {
      const found = code === '0x' ? 'no contract' : 'another contract'
      const what = `Chain ${network.chainId} has ${found} at ${address}, where ${file} records ${contract}`
      throw mismatch(`${what}; ${wayOutOfAnotherChain(origin)}`, { role, address })
    }
    if (!isCodeOf(await readArtifact(contract), code)) {
      const what = `${contract} was deployed to ${network.name} from other sources than these`
      throw mismatch(`${what}; ${wayOutOfOtherSources(origin)}`, { role, address })
    }
    const changed = changedArgument(recorded, given.get(contract) ?? [])
    if (changed !== undefined) {
      const what = `${contract} was deployed to ${network.name} with other parameters (${changed})`
      throw mismatch(`${what}; ${wayOutOfOtherSources(origin)}`, { role, address })
    }
  }
}

function changedArgument(
  recorded: readonly string[],
  given: readonly string[],
): string | undefined {
  const index = given.findIndex((text, at) => text.toLowerCase() !== recorded[at]?.toLowerCase())
  return index < 0 ? undefined : `${recorded[index]}, not ${given[index]}`
}

function mismatch(sentence: string, details: Record<string, unknown>): MainframeError {
  return new MainframeError('CHAIN_MISMATCH', sentence, { details })
}

/** What to do when the chain is not the one that was deployed to. */
export function wayOutOfAnotherChain({ network, file }: RecordOrigin): string {
  if (network.isDevelopment) return 'if the chain was started anew, deploy with --reset'
  const { chainId } = network
  return `check the RPC; only if it is right, take ${chainId} out of ${file}, delete ${journalOf(chainId)} beside it, and deploy again`
}

/** What is deployed stays as it is: other sources or parameters are another deployment. */
export function wayOutOfOtherSources({ network, file }: RecordOrigin): string {
  if (network.isDevelopment) return 'deploy these with --reset'
  const { chainId } = network
  return `go back to those, or for a new deployment take ${chainId} out of ${file} and delete ${journalOf(chainId)} beside it`
}

/** Where the journal of a chain is, from the folder of the records. */
export function journalOf(chainId: number): string {
  // as Hardhat's own Ignition tasks name it
  return `deployments/chain-${chainId}`
}
