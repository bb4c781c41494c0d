/** A running relay: its parts, started in order and stopped in reverse. */
import { mkdir } from 'node:fs/promises'
import { type Hex, MainframeError, toHex } from '@mainframe/protocol'
import { GasMeter } from './accounts/gas-meter.ts'
import { createOffice, type Office } from './accounts/office.ts'
import { Admin } from './admin.ts'
import type { Base, Stores } from './base.ts'
import { type ChainSide, followChain, untilListed } from './chain-side.ts'
import { Closers } from './closers.ts'
import type { RelayConfig } from './config.ts'
import { troubles } from './health.ts'
import type { Logger } from './log.ts'
import { LoopLag } from './loop-lag.ts'
import { loadKeys } from './operator/keys.ts'
import { createClaims, createClosings, createSweeping, createWatchtowers } from './payment-side.ts'
import type { ClaimResult, Claims } from './payments/claims.ts'
import { outgoingChannels } from './payments/outgoing.ts'
import type { Watchtowers } from './payments/watchtowers.ts'
import { type Observed, OpenedReport, relayMetrics, relayStatus } from './status.ts'
import { lockFolder } from './storage/lock.ts'
import { createParts, openStores, type Parts } from './wiring.ts'

/** Who a relay is and where it listens. */
export interface Listening {
  nodeId: Hex
  multiaddrs: string[]
  /** URL of the admin interface; its token is in `admin.json`. */
  admin: string
}

/** How long a relay waits for all its links before it is ready with those it has. */
const READY_TIMEOUT_MS = 15_000

export class Relay {
  readonly #config: RelayConfig
  readonly #log: Logger
  readonly #closers: Closers
  readonly #stop = new AbortController()
  readonly #ready = Promise.withResolvers<{ links: number }>()
  readonly #failed = Promise.withResolvers<unknown>()
  #isReady = false
  #hasFailed = false
  #parts: Parts | undefined
  #claims: Claims | undefined
  #watchtowers: Watchtowers | undefined
  #lastClaim: ClaimResult | undefined
  #listening: Listening | undefined

  private constructor(config: RelayConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#closers = new Closers(log)
  }

  /**
   * Resolves when the relay is listed on chain and listens. Throws `STORE_LOCKED`, `STORE_CORRUPT`,
   * `CONFIG_INVALID`, `CONFIG_IN_USE`, `CHAIN_MISMATCH`, or `NETWORK_CLOSED` when the signal ends
   * it; what was started is stopped then.
   */
  static async start(
    config: RelayConfig,
    { log, signal }: { log: Logger; signal?: AbortSignal },
  ): Promise<Relay> {
    const relay = new Relay(config, log)
    const onAbort = () => void relay.stop()
    signal?.addEventListener('abort', onAbort)
    try {
      await relay.#start()
      return relay
    } catch (error) {
      await relay.stop()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  get listening(): Listening {
    if (this.#listening) return this.#listening
    throw new MainframeError('INTERNAL', 'The relay does not listen yet')
  }

  /** Resolves when it has its links and channels, or as many as it got in 15 s. */
  get ready(): Promise<{ links: number }> {
    return this.#ready.promise
  }

  /** Resolves with the reason when the relay cannot go on: stop it then. */
  get failed(): Promise<unknown> {
    return this.#failed.promise
  }

  /** Ends links with BYE, makes everything durable, saves the memory and lets the folder go. */
  async stop(): Promise<void> {
    this.#stop.abort(new MainframeError('NETWORK_CLOSED', 'The relay stops'))
    await this.#closers.close()
  }

  async #start(): Promise<void> {
    const { dataFolder } = this.#config
    await mkdir(dataFolder, { recursive: true, mode: 0o700 })
    const lock = await lockFolder(dataFolder)
    this.#closers.add('lock', () => lock.release())
    const keys = await loadKeys(dataFolder)
    const base = { config: this.#config, keys, log: this.#log, closers: this.#closers }
    const stores = await openStores(base)
    const onFailed = (error: unknown) => {
      this.#hasFailed = true
      this.#failed.resolve(error)
    }
    const gas = new GasMeter()
    const onMined = gas.note.bind(gas)
    const side = await followChain({ ...base, onFailed, onMined, signal: this.#stop.signal })
    const closings = createClosings(base, stores, { side, parts: () => this.#parts })
    const hooks = {
      onLinkUp: () => this.#checkReady(),
      onClaimed: (result: ClaimResult) => this.#onClaimed(result),
      onLeft: (channelId: Hex, epoch: number) => closings.leave(channelId, epoch),
      onFailure: onFailed,
    }
    // what payers promised has its time, whether or not the relay is listed (any more)
    this.#claims = createClaims(base, stores, { side, hooks })
    this.#claims.start()
    this.#watchtowers = createWatchtowers(base, stores, side)
    this.#watchtowers.start()
    closings.start()
    await untilListed(base, side, this.#stop.signal)
    const parts = createParts(base, stores, { ...side, gas }, hooks)
    this.#parts = parts
    await parts.accounts.start()
    const sweeping = createSweeping(base, side, parts)
    await this.#open(base, stores, { ...parts, side })
    sweeping?.start()
  }

  /** Opens the doors: admin, network, links, claims. */
  async #open(
    { config, keys }: Base,
    { holds }: Stores,
    parts: Parts & { side: ChainSide },
  ): Promise<void> {
    const opened = new OpenedReport(parts.router, config.openedIntervalMs)
    this.#closers.add('report', () => opened.stop())
    const lag = new LoopLag()
    this.#closers.add('lag', () => lag.stop())
    const admin = await this.#startAdmin({
      ...parts,
      account: keys.hotAccount,
      office: createOffice(parts.accounts, { config, keys, rpc: parts.side.rpc }),
      mft: config.deployment.token,
      holds,
      opened,
      lag,
      chainView: () => ({
        block: parts.side.directory.confirmedBlock,
        ageSeconds: parts.side.follower.age.viewSeconds,
      }),
      outgoing: () => outgoingChannels(parts.side.directory, keys.hotAccount),
      freshness: () => this.#watchtowers?.freshness ?? [],
      lastClaim: () => this.#lastClaim,
      isReady: () => this.#isReady,
    })
    const { network, keeper, incoming } = parts
    await network.start((stream, key) => incoming.accept(stream, key))
    this.#stop.signal.throwIfAborted()
    const nodeId = toHex(keeper.self?.nodeId ?? new Uint8Array(0))
    this.#listening = { nodeId, multiaddrs: network.multiaddrs, admin: admin.url }
    keeper.start()
    const timer = setTimeout(() => this.#becomeReady(), READY_TIMEOUT_MS)
    this.#closers.add('readiness', () => clearTimeout(timer))
    this.#checkReady()
    this.#log.info({ admin: admin.url }, 'Listening')
  }

  async #startAdmin(observed: Observed & { side: ChainSide; office: Office }): Promise<Admin> {
    const { dataFolder, adminPort: port, pollIntervalMs, maxChainAgeSeconds } = this.#config
    const { side, peers, holds } = observed
    const admin = new Admin({
      dataFolder,
      port,
      host: {
        troubles: () =>
          troubles({
            chain: side.follower.age,
            maxChainAgeSeconds,
            pollSeconds: pollIntervalMs / 1_000,
            links: peers.counts,
            holdHasRoom: holds.hasRoom,
            hasFailed: this.#hasFailed,
          }),
        obstacles: () => (this.#isReady ? [] : ['it waits for its links to other relays']),
        metrics: () => relayMetrics(observed),
        status: () => relayStatus(observed),
        claim: () => this.#claim(),
        ...observed.office,
      },
    })
    await admin.start()
    this.#closers.add('admin', () => admin.stop())
    return admin
  }

  async #claim(): Promise<ClaimResult | undefined> {
    const result = await this.#claims?.claimNow()
    if (result) this.#onClaimed(result)
    return result
  }

  #onClaimed(result: ClaimResult): void {
    this.#lastClaim = result
    const { txHash, rows } = result
    this.#log.info({ transaction: txHash, channels: rows }, 'Claimed earnings')
  }

  #checkReady(): void {
    const { usable, wanted } = this.#parts?.peers.counts ?? { usable: 0, wanted: 1 }
    if (usable >= wanted) this.#becomeReady()
  }

  #becomeReady(): void {
    if (this.#isReady) return
    this.#isReady = true
    const links = this.#parts?.peers.counts.usable ?? 0
    this.#ready.resolve({ links })
    this.#log.info({ links }, 'Ready')
  }
}
