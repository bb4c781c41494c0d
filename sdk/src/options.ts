/** What a client may be told, and what it does when it is not. */
import {
  type Deployment,
  HOLD_CLASSES,
  type HoldClass,
  MAX_DELAY_MS,
  MAX_HOPS,
  MainframeError,
} from '@mainframe/protocol'
import type { Signer } from 'ethers'
import type { Clock } from './clock.ts'
import type { Fetch } from './directory/indexer-api.ts'
import type { RetryTimes } from './messages/retry.ts'
import type { Connect } from './network/host.ts'
import { type Medium, type PayWith, resolveMedium } from './payments/medium.ts'
import type { Random } from './random.ts'
import type { Store } from './store/store.ts'

/** How patient a client is, and how much it hides in time. All values in milliseconds. */
export interface Profile {
  /** Mean of the exponential delay at each hop. */
  delayMs: number
  /** Mean of the exponential wait before an acknowledgement: a prompt one names the recipient. */
  ackDelayMs: number
  /** Wait for an acknowledgement, besides what the delays above explain. */
  retryMs: number
  /** The longest wait between retries. */
  lastRetryMs: number
  /** Silence after which an incomplete message is reported, besides the delays. */
  quietMs: number
  /** Age at which the directory is fetched anew before it is used. */
  refreshMs: number
  /** How often the chain is asked for a receipt. */
  pollMs: number
  /** Attempts at one relay before another is taken, and the wait after the first of them. */
  tries: number
  firstWaitMs: number
  /** How long a relay that does not answer is left alone. */
  restMs: number
  /** Wait before a relay is asked again whether it sees the deposit, and for how long. */
  fundRetryMs: number
  confirmMs: number
  /** How often the subscriptions are looked after. */
  inboxCheckMs: number
}

/** For a development chain, where there is nobody to hide from: everything at once. */
const LOCAL: Profile = {
  delayMs: 0,
  ackDelayMs: 0,
  retryMs: 2_000,
  lastRetryMs: 30_000,
  quietMs: 600,
  refreshMs: 2_000,
  pollMs: 100,
  tries: 3,
  firstWaitMs: 150,
  restMs: 20_000,
  fundRetryMs: 150,
  confirmMs: 60_000,
  inboxCheckMs: 2_000,
}

/** For public networks: an observer who sees a delivery must wait for its acknowledgement. */
const STANDARD: Profile = {
  delayMs: 2_000,
  ackDelayMs: 30_000,
  retryMs: 10_000,
  lastRetryMs: 3_600_000,
  quietMs: 5_000,
  refreshMs: 60_000,
  pollMs: 2_000,
  tries: 5,
  firstWaitMs: 1_000,
  restMs: 10 * 60_000,
  fundRetryMs: 5_000,
  confirmMs: 30 * 60_000,
  inboxCheckMs: 60_000,
}

/** Named sets of defaults. */
export const PROFILES = { local: LOCAL, standard: STANDARD } as const
export type ProfileName = keyof typeof PROFILES

/** Hardhat's and anvil's chain id. */
const DEVELOPMENT_CHAIN_ID = 31_337

/** Where the network is. */
export interface NetworkOptions {
  /** JSON-RPC endpoint of the chain. It may hold a key: no error repeats it. */
  rpcUrl: string
  deployment: Deployment
  /** Base URLs of indexers; the next one is asked when one does not answer or lies. */
  indexers: readonly string[]
}

export interface MainframeOptions {
  network: NetworkOptions
  /** A private key in 0x-hex, or a signer of ethers. Use an account that serves for this only. */
  account: string | Signer
  /** Keys, signed amounts and cursors; the client opens and closes it. */
  store: Store
  /** Encrypts everything in the store; the first one that a new store is opened with is kept. */
  passphrase?: string
  /** `local` on a development chain, otherwise `standard`. */
  profile?: ProfileName
  /** FORWARD layers of a packet, 0 to 3; 3 unless given. */
  hops?: number
  /** For how long relays hold a packet for a recipient who is away; a day unless given. */
  holdClass?: HoldClass
  /** Mean delay at each hop in milliseconds, 0 to 300,000; the profile's unless given. */
  delayMs?: number
  /** Mean wait before an acknowledgement in milliseconds; the profile's unless given. */
  ackDelayMs?: number
  /** What to pay relays with; MFT unless given. */
  payWith?: PayWith
  /**
   * Deposit of a channel and of each top-up, in base units of what is paid with; 1 MFT unless given, or
   * as much as that may cost in `payWith`.
   */
  depositBase?: bigint
  /**
   * The most that may be signed away to relays in a day (UTC), in base units of what is paid with, also
   * over restarts; no limit unless given. A day's budget should hold some windows of a relay.
   */
  budgetBasePerDay?: bigint
  /** The largest minimum deposit of a relay that is accepted; a hundred times as much unless given. */
  mostDepositBase?: bigint
  /** The longest notice of a channel that is accepted, in seconds; 7 days unless given. */
  mostNoticeSeconds?: number
  /** Relays to receive from at a time; 2 unless given. */
  subscriptions?: number
  /** 32-byte X25519 secret of the inbox; made and kept in the store unless given. */
  inboxSecretKey?: Uint8Array
  /** Told when a handler rejects; the message is handed to it again. */
  onHandlerError?: (error: unknown) => void
  /**
   * Told what nobody waits for: that acknowledgements cannot be paid, that an indexer lies. Messages
   * that are on their way fail with the same error.
   */
  onBackgroundError?: (error: unknown) => void
  /** In place of the platform's; for tests. */
  clock?: Clock
  random?: Random
  fetch?: Fetch
  connect?: Connect
}

/** All of it with defaults in place. */
export interface Settings {
  profile: Profile
  hops: number
  holdClass: HoldClass
  delayMs: number
  ackDelayMs: number
  times: RetryTimes
  medium: Medium
  depositBase: bigint
  budgetBasePerDay: bigint | undefined
  limits: { mostDepositBase: bigint; mostNoticeSeconds: number }
  subscriptions: number
}

/** Units in one MFT. */
const UNITS_PER_MFT = 10n ** 9n
const MAX_SUBSCRIPTIONS = 8
const MAX_ACK_DELAY_MS = 3_600_000

/** Throws `CONFIG_INVALID` for a value out of its documented bounds. */
export function resolveOptions(options: MainframeOptions): Settings {
  const { network, hops = 3, holdClass = '1d', subscriptions = 2 } = options
  const isLocal = network.deployment.chainId === DEVELOPMENT_CHAIN_ID
  const profile = PROFILES[options.profile ?? (isLocal ? 'local' : 'standard')]
  const { delayMs = profile.delayMs, ackDelayMs = profile.ackDelayMs } = options
  if (network.indexers.length === 0) throw invalid('Configure at least one indexer')
  assertHops(hops)
  assertHoldClass(holdClass)
  assertDelay(delayMs)
  if (!isWithin(ackDelayMs, 0, MAX_ACK_DELAY_MS)) throw invalid('ackDelayMs is 0 to 3600000')
  if (!isWithin(subscriptions, 1, MAX_SUBSCRIPTIONS)) throw invalid('subscriptions is 1 to 8')
  const medium = resolveMedium(options.payWith, network.deployment.token)
  const mftBase = UNITS_PER_MFT * medium.mostBaseUnitsPerUnit
  const { depositBase = mftBase, mostDepositBase = 100n * mftBase } = options
  const { mostNoticeSeconds = 7 * 86_400 } = options
  const { budgetBasePerDay } = options
  if (budgetBasePerDay !== undefined && budgetBasePerDay < 0n) {
    throw invalid('budgetBasePerDay is at least 0')
  }
  if (depositBase <= 0n) throw invalid('depositBase is at least 1 base unit')
  return {
    profile,
    hops,
    holdClass,
    delayMs,
    ackDelayMs,
    times: retryTimes(profile, delayMs, ackDelayMs),
    medium,
    depositBase,
    budgetBasePerDay,
    limits: { mostDepositBase, mostNoticeSeconds },
    subscriptions,
  }
}

/** Exponential waits are seldom longer than three times their mean: so long nobody has to worry. */
function retryTimes(profile: Profile, delayMs: number, ackDelayMs: number): RetryTimes {
  const oneWayMs = 3 * MAX_HOPS * delayMs
  const firstMs = profile.retryMs + 3 * ackDelayMs + 2 * oneWayMs
  const lastMs = Math.max(profile.lastRetryMs, firstMs)
  return { firstMs, lastMs, quietMs: profile.quietMs + oneWayMs }
}

/** Throws `CONFIG_INVALID`. */
export function assertHops(hops: number): void {
  if (!isWithin(hops, 0, MAX_HOPS)) throw invalid(`hops is 0 to ${MAX_HOPS}`)
}

/** Throws `CONFIG_INVALID`. */
export function assertHoldClass(holdClass: string): void {
  if (!(HOLD_CLASSES as readonly string[]).includes(holdClass)) {
    throw invalid(`holdClass is one of ${HOLD_CLASSES.join(', ')}`)
  }
}

/** Throws `CONFIG_INVALID`. */
export function assertDelay(delayMs: number): void {
  if (!isWithin(delayMs, 0, MAX_DELAY_MS)) throw invalid(`delayMs is 0 to ${MAX_DELAY_MS}`)
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function invalid(sentence: string): MainframeError {
  return new MainframeError('CONFIG_INVALID', sentence)
}
