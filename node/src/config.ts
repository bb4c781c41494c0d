/** The one reader of flags, environment and files: everything else is handed a {@link RelayConfig}. */
import { readFileSync } from 'node:fs'
import { type Deployment, MainframeError, nearest, parseDeployment } from '@mainframe/protocol'
import { Compile, type Validator } from 'typebox/compile'
import {
  type AcceptedMedium,
  acceptedMedia,
  type PayingMedium,
  payingMedia,
} from './payments/media.ts'
import {
  ENVIRONMENT_PREFIX,
  SETTINGS,
  type SettingName,
  type Settings,
  SettingsSchema,
} from './settings.ts'

const settingsForm = Compile(SettingsSchema)

/** Everything that a running relay is told, checked and frozen. */
export interface RelayConfig
  extends Omit<Settings, 'deploymentFile' | 'chainId' | 'accept' | 'payWith'> {
  rpcUrl: string
  deployment: Deployment
  /** Media that this relay is paid in, MFT first. */
  accept: readonly AcceptedMedium[]
  /** Media that it pays with, the preferred first. */
  payWith: readonly PayingMedium[]
}

/** Where settings come from; flags win over the environment, and both over the file. */
export interface ConfigSources {
  /** By setting name, as text. */
  flags: Readonly<Record<string, string | undefined>>
  environment: Readonly<Record<string, string | undefined>>
  /** JSON file with settings by name. */
  configFile?: string | undefined
}

/** Reads and checks the settings. Throws `CONFIG_INVALID` with one sentence. */
export function loadSettings(sources: ConfigSources): Settings {
  const { flags, environment, configFile } = sources
  const given = {
    ...Object.fromEntries(SETTINGS.map(({ name, default: value }) => [name, value])),
    ...(configFile === undefined ? {} : readSettingsFile(configFile)),
    ...fromEnvironment(environment),
    ...definedOnly(Object.entries(flags).map(([name, text]) => [name, typed(name, text)])),
  }
  const settings = definedOnly(Object.entries(given))
  assertForm(settingsForm, settings, 'The setting')
  assertTimeToClaim(settings as unknown as Settings)
  return Object.freeze(settings as unknown as Settings)
}

/** The settings of a command that needs the chain. Throws `CONFIG_INVALID` with one sentence. */
export function loadConfig(sources: ConfigSources): RelayConfig {
  const given = loadSettings(sources)
  const { rpcUrl, deploymentFile, chainId, ...settings } = given
  if (rpcUrl === undefined) throw missing('rpcUrl')
  if (deploymentFile === undefined) throw missing('deploymentFile')
  const where = `the deployment file ${deploymentFile}`
  const deployment = parseDeployment(readJson(deploymentFile, 'deployment file'), {
    chainId,
    where,
  })
  const accept = acceptedMedia(given, deployment.token)
  const payWith = payingMedia(given, deployment.token)
  return Object.freeze({ ...settings, rpcUrl, deployment, accept, payWith })
}

function readSettingsFile(file: string): Record<string, unknown> {
  const settings = readJson(file, 'configuration file')
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw invalid(`The configuration file ${file} does not hold a JSON object`)
  }
  const names = SETTINGS.map(({ name }) => name)
  for (const key of Object.keys(settings)) assertKnown(key, names, `in ${file}`)
  return settings as Record<string, unknown>
}

function fromEnvironment(environment: ConfigSources['environment']): Record<string, unknown> {
  const variables = SETTINGS.map(({ variable }) => variable)
  for (const key of Object.keys(environment)) {
    if (key.startsWith(ENVIRONMENT_PREFIX)) assertKnown(key, variables, 'in the environment')
  }
  return definedOnly(
    SETTINGS.map(({ name, variable }) => [name, typed(name, environment[variable] || undefined)]),
  )
}

function readJson(file: string, what: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    const isMissing = (cause as { code?: string }).code === 'ENOENT'
    const problem = isMissing ? 'does not exist' : 'cannot be read as JSON'
    throw invalid(`The ${what} ${file} ${problem}`, cause)
  }
}

/** The text of a flag or variable as the type of its setting; what does not fit stays text. */
function typed(name: string, text: string | undefined): unknown {
  if (text === undefined) return undefined
  const schema = SettingsSchema.properties[name as SettingName] as {
    type?: string
    items?: { type?: string }
  }
  if (schema.items?.type === 'object') return jsonOr(text)
  if (schema.type === 'array') return text === '' ? [] : text.split(',').map((part) => part.trim())
  const isNumber = schema.type === 'integer' && /^-?\d{1,15}$/.test(text)
  return isNumber ? Number(text) : text
}

/** A list of objects is given as JSON; what is none stays text, which no setting of that kind is. */
function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function assertForm(form: Validator, value: unknown, where: string): void {
  if (form.Check(value)) return
  const [problem] = form.Errors(value)
  const lacking = (problem?.params as { requiredProperties?: string[] } | undefined)
    ?.requiredProperties?.[0]
  if (lacking !== undefined) throw invalid(`${where} ${lacking} is missing`)
  const name = problem?.instancePath.slice(1) || 'the whole'
  if (problem?.keyword === 'boolean') throw invalid(`${where} ${name} is not known`)
  throw invalid(`${where} ${name} ${problem?.message ?? 'is not valid'}`)
}

/** A close that a view misses must still be seen in time for a claim. */
function assertTimeToClaim({ maxChainAgeSeconds, noticeSeconds }: Settings): void {
  if (2 * maxChainAgeSeconds <= noticeSeconds) return
  throw invalid(
    `The setting maxChainAgeSeconds is ${maxChainAgeSeconds}, more than half of noticeSeconds, which is ${noticeSeconds}`,
  )
}

function assertKnown(key: string, known: readonly string[], where: string): void {
  if (known.includes(key)) return
  const guess = nearest(key, known)
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`
  throw invalid(`Unknown setting ${key} ${where}${hint}`)
}

function missing(name: SettingName): MainframeError {
  const setting = SETTINGS.find((other) => other.name === name)
  return invalid(
    `The setting ${name} is missing: give ${setting?.flag}, ${setting?.variable}, ` +
      'or put it into the file of --config',
  )
}

function definedOnly(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function invalid(message: string, cause?: unknown): MainframeError {
  return new MainframeError('CONFIG_INVALID', message, { cause })
}
