/** Every setting of a relay: its form, default and meaning. `config.ts` reads them. */
import { DEFAULT_EPOCH_SECONDS, MAX_QUOTES } from '@mainframe/protocol'
import { type Static, Type } from 'typebox'
import { LOG_LEVELS } from './log.ts'

const GIB = 2 ** 30
const units = (fallback: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, default: fallback, description })
const count = (fallback: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 100_000_000, default: fallback, description })
const multiaddrs = (fallback: string[], description: string) =>
  Type.Array(Type.String({ pattern: '^/' }), { maxItems: 16, default: fallback, description })
/** Base units of a token, as a decimal string: JSON's numbers are too small for them. */
const base = () => Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,38}$' }))
const token = Type.String({ pattern: '^(mft|coin|0x[0-9a-fA-F]{40})$' })
const strict = { additionalProperties: false }

export const SettingsSchema = Type.Object(
  {
    dataFolder: Type.String({
      minLength: 1,
      default: 'data/relay',
      description: 'folder of keys, vouchers and held packets; one relay at a time',
    }),
    rpcUrl: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description: 'JSON-RPC of the chain; with a key in it, set it by environment, not by flag',
      }),
    ),
    deploymentFile: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'JSON file with the contract addresses, such as deploy/addresses.json',
      }),
    ),
    chainId: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'id of the chain, where the deployment file holds several',
      }),
    ),
    listen: multiaddrs(['/ip4/127.0.0.1/tcp/0'], 'multiaddrs to listen on, comma-separated'),
    announce: multiaddrs([], 'multiaddrs that the registry tells others; those of listen if empty'),
    adminPort: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 0,
      description: 'loopback port of metrics and status; 0 takes a free one, see admin.json',
    }),
    routeUnits: units(
      1_000,
      'least to ask for routing a packet, in units of 10^-9 MFT: what it costs you',
    ),
    holdUnitsPerHour: units(
      50,
      'least to ask for holding a packet for an hour, in units of 10^-9 MFT',
    ),
    marginPercent: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description: 'what the prices on the board are above these two, in percent',
    }),
    accept: Type.Array(
      Type.Object(
        { token, baseUnitsPerUnit: base(), minDepositBase: base(), claimMinBase: base() },
        strict,
      ),
      {
        minItems: 1,
        maxItems: MAX_QUOTES,
        default: [{ token: 'mft' }],
        description: 'media of exchange to be paid in, as JSON; see docs/relay.md',
      },
    ),
    payWith: Type.Array(
      Type.Object(
        { token, mostBaseUnitsPerUnit: base(), depositBase: base(), maxDepositBase: base() },
        strict,
      ),
      {
        minItems: 1,
        maxItems: MAX_QUOTES,
        default: [{ token: 'mft' }],
        description:
          'media to pay other relays with, the preferred first, as JSON; see docs/relay.md',
      },
    ),
    maxWindowUnits: units(10_000_000, 'most that a payer may prepay and not have spent, in units'),
    depositUnits: units(100_000_000, 'deposit of a channel to another relay, in units'),
    maxDepositUnits: units(
      10_000_000_000,
      'largest deposit that another relay may ask for, in units',
    ),
    topUpBelowPercent: Type.Integer({
      minimum: 1,
      maximum: 90,
      default: 20,
      description: 'part of depositUnits below which a channel in use is topped up',
    }),
    maxDepositedUnits: units(
      100_000_000_000,
      'most that all channels to other relays hold together, in units',
    ),
    closeIdleSeconds: Type.Integer({
      minimum: 60,
      maximum: 365 * 86_400,
      default: 7 * 86_400,
      description: 'after how many unused seconds a channel to another relay is closed',
    }),
    noticeSeconds: Type.Integer({
      minimum: 3_600,
      maximum: 30 * 86_400,
      default: 86_400,
      description: 'shortest notice of a payment channel: time to claim before a payer leaves',
    }),
    confirmations: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      default: 12,
      description: 'blocks on top of one until the relay believes it',
    }),
    maxChainAgeSeconds: Type.Integer({
      minimum: 60,
      maximum: 15 * 86_400,
      default: 1_800,
      description:
        'age of the newest confirmed block above which no voucher is accepted; at most half of noticeSeconds',
    }),
    pollIntervalMs: Type.Integer({
      minimum: 20,
      maximum: 600_000,
      default: 1_000,
      description: 'milliseconds between looks at the head of the chain',
    }),
    claimMinUnits: units(1_000_000_000, 'unclaimed earnings that are worth a claim, in units'),
    claimMaxAgeSeconds: count(86_400, 'seconds after which any unclaimed earnings are claimed'),
    sweepAboveUnits: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'earnings in the vault above this go to the cold account, in units; off if unset',
      }),
    ),
    sweepTo: Type.Optional(
      Type.String({
        pattern: '^0x[0-9a-fA-F]{40}$',
        description: 'the cold account that earnings go to; the operator of the registry if unset',
      }),
    ),
    watchtowers: Type.Array(Type.String({ pattern: '^https?://' }), {
      maxItems: 8,
      default: [],
      description: 'URLs of watchtowers that get our vouchers, comma-separated',
    }),
    holdQuotaBytes: Type.Integer({
      minimum: 1_000_000,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 10 * GIB,
      description: 'bytes of held packets on disk from which new ones are refused',
    }),
    epochSeconds: count(
      DEFAULT_EPOCH_SECONDS,
      'the network parameter: how often the luminosity may change',
    ),
    openedIntervalMs: Type.Integer({
      minimum: 100,
      maximum: 86_400_000,
      default: 600_000,
      description: 'how often the counts of what was opened are published',
    }),
    maxSeen: count(1_000_000, 'packets that are remembered for 35 minutes; about 100 bytes each'),
    maxDelayed: count(100_000, 'packets that wait for their delay in memory; 2 kB each'),
    maxOwed: count(20_000, 'copies for absent neighbours in memory; up to 2 kB each'),
    maxLinks: count(1_000, 'incoming links at a time'),
    maxSubscriptions: count(500, 'subscribers at a time'),
    maxConnections: count(1_500, 'libp2p connections at a time'),
    answerTimeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: 3_600,
      default: 30,
      description: 'seconds that a peer may owe us an acknowledgement before its link is ended',
    }),
    maxConnectionsPerSecond: count(20, 'connections that one host may open a second'),
    towerHost: Type.String({
      minLength: 1,
      default: '127.0.0.1',
      description: 'watchtower: address to listen on',
    }),
    towerPort: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 9_470,
      description: 'watchtower: port to listen on; 0 takes a free one',
    }),
    towerPayees: Type.Array(Type.String({ pattern: '^0x[0-9a-fA-F]{40}$' }), {
      maxItems: 1_000,
      default: [],
      description: 'watchtower: accounts it serves; the payees of all registered relays if empty',
    }),
    towerMaxVouchersPerPayee: count(
      2_000,
      'watchtower: channels whose vouchers it holds per payee',
    ),
    towerMaxVouchers: count(100_000, 'watchtower: channels whose vouchers it holds in all'),
    towerMinUnits: units(1_000_000, 'watchtower: least value of a channel that is worth its gas'),
    towerGasPerDay: Type.Integer({
      minimum: 100_000,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 10_000_000,
      description: 'watchtower: gas that all its claims of 24 hours may use',
    }),
    logLevel: Type.Enum([...LOG_LEVELS], {
      default: 'info',
      description: `log lines go to standard error: ${LOG_LEVELS.join(', ')}`,
    }),
  },
  strict,
)

export type Settings = Static<typeof SettingsSchema>
export type SettingName = keyof Settings

/** A setting as `--help` lists it. */
export interface SettingDescription {
  name: SettingName
  flag: string
  variable: string
  description: string
  default: unknown
}

export const ENVIRONMENT_PREFIX = 'MAINFRAME_RELAY_'
/** Shorter than what the name gives. */
const FLAGS: Partial<Record<SettingName, string>> = { dataFolder: '--data' }

export const SETTINGS: readonly SettingDescription[] = (
  Object.keys(SettingsSchema.properties) as SettingName[]
).map((name) => {
  const { description = '', default: fallback } = SettingsSchema.properties[name] as {
    description?: string
    default?: unknown
  }
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return {
    name,
    flag: FLAGS[name] ?? `--${words}`,
    variable: ENVIRONMENT_PREFIX + words.replaceAll('-', '_').toUpperCase(),
    description,
    default: fallback,
  }
})
