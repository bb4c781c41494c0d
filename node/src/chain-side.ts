/** What a relay has of the chain: the followed directory, its own entry, and a sender. */
import { fromHex, type Hex, toHex } from '@mainframe/protocol'
import { ChainDirectory, type RelayEntry } from './chain/directory.ts'
import { ChainFollower } from './chain/follow.ts'
import { Rpc } from './chain/rpc.ts'
import { type GasCost, TransactionSender } from './chain/transactions.ts'
import type { Closers } from './closers.ts'
import type { RelayConfig } from './config.ts'
import type { Logger } from './log.ts'
import type { RelayKeys } from './operator/keys.ts'
import { askedPrices, setPrices } from './operator/prices.ts'
import { updateRelay } from './operator/register.ts'
import { otherMedia } from './payments/media.ts'

export interface ChainSide {
  rpc: Rpc
  directory: ChainDirectory
  sender: TransactionSender
  follower: Pick<ChainFollower, 'age'>
}

export interface ChainSideOptions {
  config: RelayConfig
  keys: RelayKeys
  log: Logger
  closers: Closers
  /** The relay stops: a transaction under way is waited for no longer than a moment. */
  signal: AbortSignal
  /** Keep every channel of the network, not only those of the hot account. */
  keepsAllChannels?: boolean
  /** Following has ended for good. */
  onFailed(error: unknown): void
  /** Told what every transaction cost. */
  onMined?(cost: GasCost): void
}

/** How long a transaction under way may take when the relay stops. */
const STOP_TIMEOUT_MS = 3_000
/** How often an operator is told that his relay is not registered. */
const REMIND_MS = 15_000

/** Follows the chain; resolves when caught up. Errors as `ChainFollower.start`. */
export async function followChain(options: ChainSideOptions): Promise<ChainSide> {
  const { config, keys, log, closers, onFailed, onMined = () => {}, signal } = options
  const { deployment, rpcUrl: url, pollIntervalMs: pollMs, confirmations, epochSeconds } = config
  const stop = new AbortController()
  const rpc = new Rpc({ url, signal: stop.signal })
  closers.add('rpc', () => stop.abort())
  const giveUp = () => setTimeout(() => stop.abort(), STOP_TIMEOUT_MS).unref()
  signal.addEventListener('abort', giveUp, { once: true })
  const { chainId } = deployment
  const secretKey = keys.hotSecret
  const sender = new TransactionSender({ rpc, chainId, secretKey, pollMs, onMined })
  const account = options.keepsAllChannels ? {} : { account: keys.hotAccount }
  const media = [...config.accept, ...config.payWith].map(({ token }) => token)
  const directory = new ChainDirectory({ deployment, ...account, media })
  const follower = new ChainFollower({
    rpc,
    deployment,
    directory,
    confirmations,
    epochSeconds,
    pollMs,
    onTrouble: (error) => log.warn({ code: error.code }, error.message),
    onFailed,
  })
  closers.add('chain', () => follower.stop())
  const onAbort = () => void follower.stop()
  signal.addEventListener('abort', onAbort)
  await follower.start().finally(() => signal.removeEventListener('abort', onAbort))
  return { rpc, directory, sender, follower }
}

/**
 * Resolves when the chain has this relay with prices in force, having announced what the settings
 * say. A relay that is not registered waits for its operator, and says so.
 */
export async function untilListed(
  { config, keys, log }: Pick<ChainSideOptions, 'config' | 'keys' | 'log'>,
  side: ChainSide,
  signal: AbortSignal,
): Promise<void> {
  const own = () => side.directory.byPeerKey(toHex(keys.nodeKey))
  const remind = () =>
    log.warn('Waiting: the chain does not list this relay, or not with prices yet')
  const waitFor = async (isThere: () => boolean) => {
    if (isThere()) return
    const timer = setInterval(remind, REMIND_MS)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const unsubscribe = side.directory.subscribe(() => isThere() && resolve())
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    await promise.finally(() => {
      clearInterval(timer)
      unsubscribe()
      signal.removeEventListener('abort', onAbort)
    })
  }
  await waitFor(() => own() !== undefined)
  const self = own()
  if (self) await announce({ config, log }, side, self)
  await waitFor(() => own()?.prices !== undefined)
}

/** Brings board and registry to what the settings say. Without coin for gas the old terms stay. */
async function announce(
  { config, log }: { config: RelayConfig; log: Logger },
  { rpc, sender, directory }: ChainSide,
  self: RelayEntry,
): Promise<void> {
  const { deployment, announce: multiaddrs } = config
  const node = self.row
  const metadata = Buffer.from(fromHex(node.metadata)).toString()
  const report = (what: string) => (hash: Hex | undefined) => {
    if (hash) log.info({ transaction: hash }, `${what} changed`)
  }
  const complain = (error: Error) => log.warn(error.message)
  const prices = askedPrices(config)
  const media = otherMedia(config.accept, deployment.token)
  const kept = [deployment.token, ...media.map(({ token }) => token)]
  const left = directory.ownTokens(node.nodeId).filter((token) => !kept.includes(token))
  await setPrices({ rpc, deployment, sender, node, prices, media, left }).then(
    report('Prices'),
    complain,
  )
  if (multiaddrs.length === 0) return
  await updateRelay(node, { multiaddrs, metadata }, { sender, deployment }).then(
    report('Addresses'),
    complain,
  )
}
