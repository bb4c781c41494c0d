/** How the parts are put together that let channels end and look after what was earned. */
import type { ChannelsDomain, ReleaseAnswer } from '@mainframe/protocol'
import type { Base, Stores } from './base.ts'
import type { RelayEntry } from './chain/directory.ts'
import type { ChainSide } from './chain-side.ts'
import type { PeerLink } from './links/peer-link.ts'
import { Closings } from './payments/closings.ts'
import type { CreditLedger } from './payments/credit-ledger.ts'
import { Releases } from './payments/releases.ts'

/** How often channels that may be closed are looked at. */
const CLOSING_CHECK_MS = 60_000

export function createReleases(
  { keys }: Base,
  { released }: Stores,
  { side, domain, ledger }: { side: ChainSide; domain: ChannelsDomain; ledger: CreditLedger },
): Releases {
  const { hotAccount: payee, hotSecret: payeeSecret } = keys
  return new Releases({ directory: side.directory, ledger, released, payee, payeeSecret, domain })
}

export function createClosings(
  { config, keys, log, closers }: Base,
  { signed }: Stores,
  {
    links,
    ask,
    ...common
  }: {
    side: ChainSide
    domain: ChannelsDomain
    links(): ReadonlyMap<string, PeerLink>
    ask(relay: RelayEntry, body: Uint8Array, signal: AbortSignal): Promise<ReleaseAnswer>
  },
): Closings {
  const stop = new AbortController()
  const closings = new Closings({
    ...common.side,
    domain: common.domain,
    deployment: config.deployment,
    hotSecret: keys.hotSecret,
    signed,
    idleMs: 1_000 * config.closeIdleSeconds,
    checkMs: CLOSING_CHECK_MS,
    inUse: () => [...links().values()].flatMap(({ channelId }) => channelId ?? []),
    ask: (relay, body) => ask(relay, body, stop.signal),
    onTrouble: (error) => log.warn({ code: error.code }, error.message),
    onClosed: (_, how) => log.info({ how }, 'Closed a channel to another relay'),
  })
  closers.add('closings', () => {
    stop.abort()
    return closings.stop()
  })
  return closings
}
