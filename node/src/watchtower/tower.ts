/** A running watchtower: its parts, started in order and stopped in reverse. */
import { mkdir } from 'node:fs/promises'
import { type Hex, MainframeError, unitsToBase } from '@mainframe/protocol'
import { type ChainSide, followChain } from '../chain-side.ts'
import { Closers } from '../closers.ts'
import type { RelayConfig } from '../config.ts'
import { chainTroubles } from '../health.ts'
import type { Logger } from '../log.ts'
import { loadKeys } from '../operator/keys.ts'
import { lockFolder } from '../storage/lock.ts'
import { Desk } from './desk.ts'
import { TowerServer } from './server.ts'
import { TowerStore } from './tower-store.ts'
import { Watch } from './watch.ts'

/** Looks at channels that are closing in so many looks at the chain. */
const POLLS_PER_CHECK = 5

export class Watchtower {
  readonly #closers: Closers
  readonly #stop = new AbortController()
  readonly #failed = Promise.withResolvers<unknown>()
  #listening: { url: string; account: Hex } | undefined

  private constructor(log: Logger) {
    this.#closers = new Closers(log)
  }

  /**
   * Resolves when it has caught up with the chain and listens. Throws `STORE_LOCKED`, `STORE_CORRUPT`,
   * `CONFIG_INVALID`, `CONFIG_IN_USE`, `CHAIN_MISMATCH`, or `NETWORK_CLOSED` when the signal ends it;
   * what was started is stopped then.
   */
  static async start(
    config: RelayConfig,
    { log, signal }: { log: Logger; signal?: AbortSignal },
  ): Promise<Watchtower> {
    const tower = new Watchtower(log)
    const onAbort = () => void tower.stop()
    signal?.addEventListener('abort', onAbort)
    try {
      await tower.#start(config, log)
      return tower
    } catch (error) {
      await tower.stop()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Where it listens, and the account that pays for its gas. */
  get listening(): { url: string; account: Hex } {
    if (this.#listening) return this.#listening
    throw new MainframeError('INTERNAL', 'The watchtower does not listen yet')
  }

  /** Resolves with the reason when it cannot go on: stop it then. */
  get failed(): Promise<unknown> {
    return this.#failed.promise
  }

  async stop(): Promise<void> {
    this.#stop.abort(new MainframeError('NETWORK_CLOSED', 'The watchtower stops'))
    await this.#closers.close()
  }

  async #start(config: RelayConfig, log: Logger): Promise<void> {
    const closers = this.#closers
    const { dataFolder, deployment } = config
    await mkdir(dataFolder, { recursive: true, mode: 0o700 })
    const lock = await lockFolder(dataFolder)
    closers.add('lock', () => lock.release())
    const keys = await loadKeys(dataFolder)
    const store = new TowerStore(dataFolder)
    closers.add('vouchers', () => store.close())
    const onFailed = (error: unknown) => this.#failed.resolve(error)
    const { signal } = this.#stop
    const common = { config, keys, log, closers, onFailed, signal }
    const side = await followChain({ ...common, keepsAllChannels: true })
    const minBases = new Map(
      config.accept.map((medium) => [
        medium.token,
        unitsToBase(config.towerMinUnits, medium.baseUnitsPerUnit),
      ]),
    )
    const desk = new Desk({
      deployment,
      tokens: new Set(minBases.keys()),
      directory: side.directory,
      store,
      payees: config.towerPayees.map((payee) => payee.toLowerCase() as Hex),
      maxPerPayee: config.towerMaxVouchersPerPayee,
      maxVouchers: config.towerMaxVouchers,
    })
    const watch = this.#watch(config, { log, side, store, minBases })
    const server = new TowerServer({
      host: config.towerHost,
      port: config.towerPort,
      desk,
      troubles: () => [
        ...chainTroubles(side.follower.age, config.pollIntervalMs / 1_000),
        ...watch.troubles,
      ],
      onFailure: onFailed,
    })
    this.#prune(desk, side)
    await server.start()
    closers.add('server', () => server.stop())
    signal.throwIfAborted()
    watch.start()
    this.#listening = { url: server.url, account: keys.hotAccount }
    log.info({ url: server.url, vouchers: store.entries.size }, 'Watching')
  }

  #watch(
    config: RelayConfig,
    wires: {
      log: Logger
      side: ChainSide
      store: TowerStore
      minBases: ReadonlyMap<Hex, bigint>
    },
  ): Watch {
    const { log, side, ...watched } = wires
    const watch = new Watch({
      ...side,
      deployment: config.deployment,
      ...watched,
      gasPerDay: BigInt(config.towerGasPerDay),
      checkMs: POLLS_PER_CHECK * config.pollIntervalMs,
      onTrouble: (error) => log.warn({ code: error.code }, error.message),
      onClaimed: ({ txHash, rows, gasUsed }) =>
        log.info({ transaction: txHash, channels: rows, gas: `${gasUsed}` }, 'Claimed for a payee'),
    })
    this.#closers.add('watch', () => watch.stop())
    return watch
  }

  /** What was closed makes room. */
  #prune(desk: Desk, { directory }: ChainSide): void {
    const prune = () => {
      try {
        desk.prune()
      } catch (error) {
        this.#failed.resolve(error)
      }
    }
    prune()
    this.#closers.add('pruning', directory.subscribe(prune))
  }
}
