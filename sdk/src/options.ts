/** What a client may be told, and what it does when it is not. */
import {
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
import type { NetworkOptions } from './network-profile.ts'
import { type Medium, type PayWith, resolveMedium } from './payments/medium.ts'
import { PROFILES, type Profile, type ProfileName } from './profiles.ts'
import type { Random } from './random.ts'
import type { Store } from './store/store.ts'

/** Hardhat's and anvil's chain id. */
const DEVELOPMENT_CHAIN_ID = 31_337

/** What a client is opened with. */
export interface MainframeOptions {
  /**
   * Where the network is: as options, or as a profile by its name (`local`), the URL where it can be
   * fetched, or its JSON text; the network of `npm start` on this machine unless given.
   */
  network?: NetworkOptions | string
  /** A private key in 0x-hex, or a signer of ethers. Use an account that serves for this only. */
  account: string | Signer
  /** Keys, signed amounts and cursors; the client opens and closes it. */
  store: Store
  /** Encrypts everything in the store; the first one that a new store is opened with is kept. */
  passphrase?: string
  /** `local` on a development chain, otherwise `standard`. */
  profile?: ProfileName
  /** FORWARD layers of a packet, 0 to 3; the profile's unless given. */
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
  /** In place of the platform's; for tests. */
  random?: Random
  /** In place of the platform's; for tests. */
  fetch?: Fetch
  /** In place of libp2p; for tests. */
  connect?: Connect
}

/** The options of a client whose network is known. */
export type ClientOptions = MainframeOptions & { network: NetworkOptions }

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
export function resolveOptions(options: ClientOptions): Settings {
  const { network, holdClass = '1d', subscriptions = 2 } = options
  const profile = profileOf(options)
  const { hops = profile.hops } = options
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

function profileOf({ network, profile }: ClientOptions): Profile {
  const isLocal = network.deployment.chainId === DEVELOPMENT_CHAIN_ID
  const name = profile ?? (isLocal ? 'local' : 'standard')
  if (Object.hasOwn(PROFILES, name)) return PROFILES[name]
  throw invalid(`profile is one of ${Object.keys(PROFILES).join(', ')}`)
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
