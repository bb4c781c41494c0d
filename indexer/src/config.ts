/** The one reader of flags, environment and files: everything else is handed an {@link IndexerConfig}. */
import { readFileSync } from 'node:fs'
import { type Deployment, MainframeError, nearest, parseDeployment } from '@mainframe/protocol'
import { type Static, Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'

const SettingsSchema = Type.Object(
  {
    rpcUrl: Type.String({
      pattern: '^https?://',
      description:
        'JSON-RPC of the chain, or several, by comma; with a key in it, set it by environment, not by flag',
    }),
    rpcRequestsPerSecond: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 200,
      description: 'requests that one RPC is sent in a second; fewer when it says "too often"',
    }),
    deployment: Type.String({
      minLength: 1,
      description: 'JSON file with the contract addresses, such as deploy/addresses.json',
    }),
    chainId: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'id of the chain, where the deployment file holds several',
      }),
    ),
    dataFolder: Type.String({
      minLength: 1,
      default: 'data/indexer',
      description: 'folder of the embedded database',
    }),
    databaseUrl: Type.Optional(
      Type.String({
        pattern: '^postgres(ql)?://',
        description: 'PostgreSQL instead of the embedded database; environment DATABASE_URL',
      }),
    ),
    role: Type.Enum(['both', 'ingest', 'api'], {
      default: 'both',
      description:
        'take in the chain (ingest), answer from the database of such a process (api), or both',
    }),
    host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'address to listen on' }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 8420,
      description: 'port to listen on; 0 takes a free one',
    }),
    finalityDepth: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 64,
      description: 'blocks below the head that count as final (two epochs of Ethereum)',
    }),
    pollIntervalMs: Type.Integer({
      minimum: 20,
      maximum: 600_000,
      default: 1_000,
      description: 'milliseconds between looks at the head of the chain',
    }),
    rateLimitPerMinute: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 600,
      description: 'requests a minute from one address; a hundred times as many on loopback',
    }),
    logLevel: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
      default: 'info',
      description: 'log lines go to standard error',
    }),
  },
  { additionalProperties: false },
)

type Settings = Static<typeof SettingsSchema>

/** Everything that a run of the indexer is told, checked and frozen. */
export interface IndexerConfig extends Omit<Settings, 'deployment' | 'chainId' | 'dataFolder'> {
  deployment: Deployment
  /** Left out: with `databaseUrl` nothing is kept here, without it in memory only. */
  dataFolder?: string
}

/** Where settings come from; earlier ones win. */
interface ConfigSources {
  /** By setting name, as text. */
  flags: Readonly<Record<string, string | undefined>>
  environment: Readonly<Record<string, string | undefined>>
  /** JSON file with settings by name. */
  configFile?: string | undefined
}

/** A setting as `--help` lists it. */
export interface SettingDescription {
  name: string
  flag: string
  variable: string
  description: string
  default: unknown
}

const ENVIRONMENT_PREFIX = 'MAINFRAME_INDEXER_'
/** A URL with a password must not stand in a process list, so there is no flag for it. */
const WITHOUT_FLAG = new Set(['databaseUrl'])

const settingsForm = Compile(SettingsSchema)

/** Every setting, for `--help` and the documentation. */
export const SETTINGS: readonly SettingDescription[] = Object.entries(
  SettingsSchema.properties,
).map(([name, schema]) => {
  const { description = '', default: fallback } = schema as {
    description?: string
    default?: unknown
  }
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const variable = `${ENVIRONMENT_PREFIX}${words.replaceAll('-', '_').toUpperCase()}`
  return {
    name,
    flag: WITHOUT_FLAG.has(name) ? '' : `--${words}`,
    variable: name === 'databaseUrl' ? 'DATABASE_URL' : variable,
    description,
    default: fallback,
  }
})

/** Reads and checks the settings. Throws `CONFIG_INVALID` with one sentence. */
export function loadConfig(sources: ConfigSources): IndexerConfig {
  const { flags, environment, configFile } = sources
  const settings = {
    ...Object.fromEntries(SETTINGS.map(({ name, default: value }) => [name, value])),
    ...(configFile === undefined ? {} : readSettingsFile(configFile)),
    ...fromEnvironment(environment),
    ...definedOnly(Object.entries(flags).map(([name, text]) => [name, typed(name, text)])),
  }
  const given = definedOnly(Object.entries(settings))
  assertForm(settingsForm, given, 'The setting')
  const { deployment, chainId, dataFolder, ...rest } = given as unknown as Settings
  if (!rpcUrlsOf(rest.rpcUrl).every((url) => /^https?:/.test(url) && URL.canParse(url))) {
    throw invalid('The setting rpcUrl is not a URL')
  }
  if (rest.role === 'api' && rest.databaseUrl === undefined) {
    throw invalid(
      'The role api needs a PostgreSQL server in DATABASE_URL that an ingest process fills',
    )
  }
  return Object.freeze({
    ...rest,
    ...(rest.databaseUrl === undefined && { dataFolder }),
    deployment: parseDeployment(readJson(deployment, 'deployment file'), { chainId }),
  })
}

/** The RPCs of the setting `rpcUrl`, the preferred one first. */
export function rpcUrlsOf(setting: string): string[] {
  return setting.split(',').map((url) => url.trim())
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
    const missing = (cause as { code?: string }).code === 'ENOENT'
    throw invalid(
      `The ${what} ${file} ${missing ? 'does not exist' : 'cannot be read as JSON'}`,
      cause,
    )
  }
}

/** The text of a flag or variable as the type of its setting; what does not fit stays text. */
function typed(name: string, text: string | undefined): unknown {
  const schema = SettingsSchema.properties[name as keyof Settings] as { type?: string } | undefined
  const isNumber = schema?.type === 'integer' && text !== undefined && /^-?\d{1,15}$/.test(text)
  return isNumber ? Number(text) : text
}

function assertForm(form: Validator, value: unknown, where: string): void {
  if (form.Check(value)) return
  const [problem] = form.Errors(value)
  const missing = (problem?.params as { requiredProperties?: string[] } | undefined)
    ?.requiredProperties?.[0]
  if (missing !== undefined) throw invalid(`${where} ${missing} is missing`)
  const name = problem?.instancePath.slice(1) || 'the whole'
  throw invalid(`${where} ${name} ${problem?.message ?? 'is not valid'}`)
}

function assertKnown(key: string, known: readonly string[], where: string): void {
  if (known.includes(key)) return
  const guess = nearest(key, known)
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`
  throw invalid(`Unknown setting ${key} ${where}${hint}`)
}

function definedOnly(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function invalid(message: string, cause?: unknown): MainframeError {
  return new MainframeError('CONFIG_INVALID', message, { cause })
}
