/** The networks that the contracts can be deployed to: one file each in `deploy/config`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatMft, type Hex, MainframeError, nearest, parseMft } from '@mainframe/protocol'
import { getAddress, isAddress, ZeroAddress } from 'ethers'
import { type Static, type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'

const CONFIG_FOLDER = fileURLToPath(new URL('config', import.meta.url))
/** The ids that development nodes (Hardhat, anvil, Ganache) give their chains. */
const DEVELOPMENT_CHAINS: readonly number[] = [1_337, 31_337]
/** The whole supply of MFT, in base units. */
const SUPPLY = 10n ** 28n
/** A price must stay in force for packets that are under way: an onion's first layer lives 32 minutes. */
const SHORTEST_PUBLIC_DELAY_SECONDS = 32 * 60

const seconds = (minimum: number, maximum: number) =>
  Type.Integer({
    minimum,
    maximum,
    description: `a whole number of seconds from ${minimum} to ${maximum}`,
  })

/** The descriptions end the sentence "… must be". */
const FIELDS = {
  chainId: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'the id of the chain, a positive whole number',
  }),
  confirmations: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    description: 'a whole number of blocks from 1 to 1000',
  }),
  treasury: Type.Optional(
    Type.String({
      pattern: '^0x[0-9a-fA-F]{40}$',
      description: 'an address, 0x and 40 hex digits',
    }),
  ),
  minimumStakeMft: Type.String({
    pattern: '^\\d{1,30}(\\.\\d{1,18})?$',
    description: 'an amount of MFT in quotes, such as "100000"',
  }),
  // the upper bounds are the contracts' own; a test compares them
  unbondingPeriodSeconds: seconds(0, 365 * 86_400),
  priceDelaySeconds: seconds(0, 30 * 86_400),
  minimumNoticeSeconds: seconds(1, 2 ** 32 - 1),
  maximumNoticeSeconds: seconds(1, 2 ** 32 - 1),
} satisfies Record<string, TSchema>
const FormSchema = Type.Object(FIELDS)
type Form = Static<typeof FormSchema>
type FieldName = keyof typeof FIELDS

/** What the contracts are given; amounts in base units. Those left out are a public network's. */
export interface DeploymentParameters {
  /** Receives the whole supply of MFT; by default the deploying account. */
  treasury?: Hex
  minimumStake?: bigint
  unbondingPeriodSeconds?: number
  priceDelaySeconds?: number
  minimumNoticeSeconds?: number
  maximumNoticeSeconds?: number
}

export interface NetworkConfig {
  name: string
  chainId: number
  /** A chain of one machine and a short life: nothing there is worth a question or a commit. */
  isDevelopment: boolean
  /** Blocks until a transaction counts, its own included. */
  confirmations: number
  parameters: DeploymentParameters
}

/** The names of all networks there is a file for. */
export function networkNames(folder = CONFIG_FOLDER): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return files.map((file) => file.slice(0, -'.json'.length)).sort()
}

/** The parameters of a network. Throws `CONFIG_INVALID` with one sentence. */
export function readNetwork(name: string, folder = CONFIG_FOLDER): NetworkConfig {
  const names = networkNames(folder)
  if (!names.includes(name)) {
    const guess = nearest(name, names)
    const hint = guess === undefined ? `there are ${names.join(', ')}` : `did you mean ${guess}?`
    throw new MainframeError('CONFIG_INVALID', `There is no network ${name}; ${hint}`)
  }
  const text = readFileSync(join(folder, `${name}.json`), 'utf8')
  return parseNetwork(name, text)
}

/** The parameters of a network from the text of its file. Throws `CONFIG_INVALID` with one sentence. */
export function parseNetwork(name: string, text: string): NetworkConfig {
  const fault = (problem: string) =>
    new MainframeError('CONFIG_INVALID', `deploy/config/${name}.json: ${problem}`)
  const { chainId, confirmations, minimumStakeMft, treasury, ...rest } = parseForm(text, fault)
  const isDevelopment = DEVELOPMENT_CHAINS.includes(chainId)
  const minimumStake = parseMft(minimumStakeMft)
  if (minimumStake === 0n || minimumStake > SUPPLY) {
    throw fault(`minimumStakeMft must be more than 0 and at most ${formatMft(SUPPLY)}, the supply`)
  }
  if (rest.minimumNoticeSeconds > rest.maximumNoticeSeconds) {
    throw fault('minimumNoticeSeconds must not be more than maximumNoticeSeconds')
  }
  if (!isDevelopment && rest.priceDelaySeconds < SHORTEST_PUBLIC_DELAY_SECONDS) {
    const least = `${SHORTEST_PUBLIC_DELAY_SECONDS} on a public network`
    throw fault(`priceDelaySeconds must be at least ${least}, as long as packets are under way`)
  }
  if (treasury === undefined && !isDevelopment) {
    throw fault('treasury is missing: name the address that is to receive the whole supply of MFT')
  }
  const parameters = {
    ...rest,
    minimumStake,
    ...(treasury !== undefined && { treasury: parseTreasury(treasury, fault) }),
  }
  return { name, chainId, isDevelopment, confirmations, parameters }
}

type Fault = (problem: string) => MainframeError

function parseForm(text: string, fault: Fault): Form {
  const form = parseObject(text, fault)
  const names = Object.keys(FIELDS)
  for (const key of Object.keys(form)) {
    if (names.includes(key)) continue
    const guess = nearest(key, names)
    throw fault(`${key} is unknown${guess === undefined ? '' : `; did you mean ${guess}?`}`)
  }
  for (const name of names as FieldName[]) {
    const schema: TSchema & { description?: string } = FIELDS[name]
    const value = form[name]
    const isLeftOut = value === undefined && name === 'treasury'
    if (isLeftOut || Check(schema, value)) continue
    const found = value === undefined ? 'is missing and' : `is ${JSON.stringify(value)} and`
    throw fault(`${name} ${found} must be ${schema.description}`)
  }
  return form as Form
}

function parseObject(text: string, fault: Fault): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw fault(`this is no JSON (${(cause as Error).message})`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw fault('this is no JSON object')
}

function parseTreasury(text: string, fault: Fault): Hex {
  if (!isAddress(text)) {
    throw fault('the checksum of treasury is wrong: one of its characters is not as it was given')
  }
  const address = getAddress(text)
  if (address === ZeroAddress) throw fault('treasury must not be the zero address')
  return address as Hex
}
