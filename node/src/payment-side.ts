/** How the parts are put together that let channels end and look after what was earned. */
import {
  type ChannelsDomain,
  fromHex,
  type Hex,
  MainframeError,
  type ReleaseAnswer,
  unitsToBase,
} from '@mainframe/protocol'
import { isAddress } from 'ethers'
import type { Base, Hooks, Stores } from './base.ts'
import type { RelayEntry } from './chain/directory.ts'
import type { ChainSide } from './chain-side.ts'
import type { RelayConfig } from './config.ts'
import type { Peers } from './links/peers.ts'
import { Claims } from './payments/claims.ts'
import { Closings } from './payments/closings.ts'
import type { CreditLedger } from './payments/credit-ledger.ts'
import { PayerChannels } from './payments/payer-channels.ts'
import { Releases } from './payments/releases.ts'
import { Sweeping } from './payments/sweeping.ts'
import { Watchtowers } from './payments/watchtowers.ts'
import type { OverlayKeeper } from './routing/overlay-keeper.ts'

/** Asks another relay, over a link, to let a channel go. */
export type AskPayee = (
  relay: RelayEntry,
  body: Uint8Array,
  signal: AbortSignal,
) => Promise<ReleaseAnswer>

/** What the closings need of the parts that talk to others, once there are any. */
interface LinkParts {
  askRelease: AskPayee
  peers: Pick<Peers, 'links'>
}

/** How often unclaimed earnings are looked at. */
const CLAIM_CHECK_MS = 10_000
/** The longest notice that the contract knows. */
const MAX_NOTICE_SECONDS = 30 * 86_400
/** Watchtowers are sent what is newer once in so many looks at the chain: every 10 s by default. */
const POLLS_PER_PUSH = 10
/** How often the vault is looked at for what can be sent on. */
const SWEEP_CHECK_MS = 60_000
/** How often channels that may be closed are looked at. */
const CLOSING_CHECK_MS = 60_000

export function domainOf({ deployment }: Pick<RelayConfig, 'deployment'>): ChannelsDomain {
  const { chainId, channels } = deployment
  return { chainId: BigInt(chainId), contract: fromHex(channels, 20) }
}

export function createReleases(
  { keys }: Base,
  { released }: Stores,
  { side, domain, ledger }: { side: ChainSide; domain: ChannelsDomain; ledger: CreditLedger },
): Releases {
  const { hotAccount: payee, hotSecret: payeeSecret } = keys
  return new Releases({ directory: side.directory, ledger, released, payee, payeeSecret, domain })
}

/** The claims begin before the rest: see `Relay`. */
export function createClaims(
  { config, log, closers }: Base,
  { vouchers }: Stores,
  { side, hooks }: { side: ChainSide; hooks: Hooks },
): Claims {
  const { deployment, accept, claimMaxAgeSeconds } = config
  const thresholds = new Map(accept.map(({ token, claimMinBase }) => [token, claimMinBase]))
  const claims = new Claims({
    ...side,
    deployment,
    vouchers,
    // what is no longer accepted is claimed with the next look
    thresholdOf: (token) => thresholds.get(token) ?? 0n,
    maxAgeMs: claimMaxAgeSeconds * 1_000,
    checkMs: CLAIM_CHECK_MS,
    onTrouble: (error) => log.warn({ code: error.code }, error.message),
    onClaimed: hooks.onClaimed,
  })
  closers.add('claims', () => claims.stop())
  return claims
}

export function createPayerChannels(
  { config, keys, closers }: Base,
  { signed }: Stores,
  { side, hooks }: { side: ChainSide; hooks: Hooks },
): PayerChannels {
  const { deployment, payWith: media, noticeSeconds } = config
  const limits = { media, noticeSeconds, maxNoticeSeconds: MAX_NOTICE_SECONDS }
  const { hotSecret } = keys
  const { onLeft, onFailure } = hooks
  const told = { onLeft, onFailure }
  const channels = new PayerChannels({ ...side, deployment, hotSecret, signed, limits, ...told })
  closers.add('channels', () => channels.stop())
  return channels
}

/** Begins before the relay is listed: what it has in channels comes back, whether or not it ever is again. */
export function createClosings(
  { config, keys, log, closers }: Base,
  { signed }: Stores,
  { side, parts }: { side: ChainSide; parts(): LinkParts | undefined },
): Closings {
  const stop = new AbortController()
  const closings = new Closings({
    ...side,
    domain: domainOf(config),
    deployment: config.deployment,
    hotSecret: keys.hotSecret,
    signed,
    idleMs: 1_000 * config.closeIdleSeconds,
    checkMs: CLOSING_CHECK_MS,
    inUse: () =>
      [...(parts()?.peers.links.values() ?? [])].flatMap(({ channelId }) => channelId ?? []),
    ask: async (relay, body) => {
      const ask = parts()?.askRelease
      if (ask) return await ask(relay, body, stop.signal)
      throw new MainframeError('NETWORK_CLOSED', 'The relay does not listen yet')
    },
    onTrouble: (error) => log.warn({ code: error.code }, error.message),
    onClosed: (_, how) => log.info({ how }, 'Closed a channel to another relay'),
  })
  closers.add('closings', () => {
    stop.abort()
    return closings.stop()
  })
  return closings
}

/** Begins with the claims: the relay's vouchers are there before its links. */
export function createWatchtowers(
  { config, keys, log, closers }: Base,
  { vouchers }: Stores,
  { directory }: ChainSide,
): Watchtowers {
  const { watchtowers: urls, deployment } = config
  const towers = new Watchtowers({
    urls,
    deployment,
    directory,
    vouchers,
    payee: keys.hotAccount,
    payeeSecret: keys.hotSecret,
    pushMs: POLLS_PER_PUSH * config.pollIntervalMs,
    onTrouble: (error) => log.warn({ code: error.code }, error.message),
  })
  closers.add('watchtowers', () => towers.stop())
  return towers
}

/** `undefined` when the operator does not want it. Throws `CONFIG_INVALID` for a mistyped cold account. */
export function createSweeping(
  { config, log, closers }: Base,
  side: ChainSide,
  parts: {
    peers: Pick<Peers, 'counts'>
    keeper: Pick<OverlayKeeper, 'self'>
    payerChannels: Pick<PayerChannels, 'isFunding'>
  },
): Sweeping | undefined {
  const { sweepAboveUnits, sweepTo, accept, payWith, deployment } = config
  if (sweepAboveUnits === undefined) return undefined
  if (sweepTo !== undefined && !isAddress(sweepTo)) throw mistyped(sweepTo)
  const rates = new Map(accept.map((medium) => [medium.token, medium.baseUnitsPerUnit]))
  const deposits = new Map(payWith.map(({ token, depositBase }) => [token, depositBase]))
  const sweeping = new Sweeping({
    ...side,
    deployment,
    tokens: accept.map(({ token }) => token),
    keepBase: (token) => {
      const mark = unitsToBase(sweepAboveUnits, rates.get(token))
      // enough to open or top up a channel to each peer that is wanted
      const capital = (deposits.get(token) ?? 0n) * BigInt(parts.peers.counts.wanted)
      return capital > mark ? capital : mark
    },
    isFunding: () => parts.payerChannels.isFunding,
    to: () => (sweepTo as Hex | undefined) ?? parts.keeper.self?.row.operator,
    checkMs: SWEEP_CHECK_MS,
    onTrouble: (error) => log.warn({ code: error.code }, error.message),
    onSwept: ({ token, txHash: transaction }) =>
      log.info({ token, transaction }, 'Sent earnings to the cold account'),
  })
  closers.add('sweeping', () => sweeping.stop())
  return sweeping
}

/** Capitals in an address are its checksum (EIP-55): money that is sent to another one is gone. */
function mistyped(sweepTo: string): MainframeError {
  const message = `The setting sweepTo is ${sweepTo}, whose capitals do not fit: copy the address again`
  return new MainframeError('CONFIG_INVALID', message)
}
