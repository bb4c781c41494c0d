/** The client's view of the network: from indexers, checked on chain, or from the chain; refreshed by age. */
import { type Deployment, errorCode, type Hex, MainframeError } from '@mainframe/protocol'
import type { DirectoryChain } from '../chain/chain.ts'
import { type Clock, sleep } from '../clock.ts'
import { ChainDirectory } from './chain-directory.ts'
import { type CheckedListing, checkListing, MAX_AGE_MS } from './check-listing.ts'
import { settleUsers } from './compare-indexers.ts'
import { lie } from './fault.ts'
import { type Fetch, fetchListing } from './indexer-api.ts'
import { logSource } from './log-api.ts'
import { RegistryLog } from './registry-log.ts'
import type { DirectoryView } from './relay.ts'
import { createView } from './view.ts'

export interface DirectoryOptions {
  chain: DirectoryChain
  deployment: Deployment
  /** Base URLs, in the order in which they are asked. */
  indexers: readonly string[]
  fetch: Fetch
  clock: Clock
  /** The token that the client pays with; MFT unless given. */
  medium?: Hex
  /** Age from which {@link Directory.fresh} asks again, so that new and gone relays are seen. */
  refreshMs: number
  /** Told of an indexer that was caught while another one told the truth. */
  onFault?: (error: unknown) => void
}

/** Wait before an indexer is asked again whose answer the chain did not confirm yet. */
const RECHECK_MS = 500

export class Directory {
  readonly #options: DirectoryOptions
  readonly #seeds = new Map<number, Hex>()
  readonly #medium: Hex
  readonly #log: RegistryLog
  readonly #chain: ChainDirectory
  #view: DirectoryView | undefined
  #refreshing: Promise<DirectoryView> | undefined
  #isOutdated = false
  #trouble: unknown

  constructor(options: DirectoryOptions) {
    this.#options = options
    const { chain, deployment } = options
    this.#log = new RegistryLog(deployment)
    this.#medium = options.medium ?? (deployment.token.toLowerCase() as Hex)
    this.#chain = new ChainDirectory({
      chain,
      deployment,
      medium: this.#medium,
      seeds: this.#seeds,
    })
  }

  /** The newest view, however old; `undefined` before the first. */
  get view(): DirectoryView | undefined {
    return this.#view
  }

  /** Why the newest view is not from an indexer; `undefined` when it is. */
  get trouble(): unknown {
    return this.#trouble
  }

  /**
   * A view of at most the configured age. While neither an indexer nor the chain gives one, one of up
   * to 30 minutes will do; an indexer that lies is never covered up. Throws `INDEXER_UNREACHABLE`, `INDEXER_INVALID`,
   * `NETWORK_NO_RELAY`, `CHAIN_UNREACHABLE`.
   */
  async fresh(): Promise<DirectoryView> {
    const { clock, refreshMs } = this.#options
    const view = this.#view
    const ageMs = view ? clock.now() - view.fetchedAtMs : Number.POSITIVE_INFINITY
    if (view && ageMs <= refreshMs && !this.#isOutdated) return view
    try {
      return await this.refresh()
    } catch (error) {
      if (!view || ageMs > MAX_AGE_MS || errorCode(error) === 'INDEXER_INVALID') throw error
      return view
    }
  }

  /** Asks the indexers now; concurrent callers share the answer. */
  refresh(): Promise<DirectoryView> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** Makes the next {@link fresh} ask again: something happened that the view does not explain. */
  outdate(): void {
    this.#isOutdated = true
  }

  async #refresh(): Promise<DirectoryView> {
    this.#isOutdated = false
    let worst: unknown
    for (const url of this.#options.indexers) {
      try {
        this.#view = await this.#askTwice(url)
        this.#trouble = undefined
        if (errorCode(worst) === 'INDEXER_INVALID') this.#options.onFault?.(worst)
        return this.#view
      } catch (error) {
        // A lie is worth more to the caller than the silence of the next one.
        if (errorCode(worst) !== 'INDEXER_INVALID') worst = error
      }
    }
    this.#trouble = worst
    if (errorCode(worst) === 'INDEXER_INVALID') throw worst
    this.#view = await this.#followChain(worst)
    return this.#view
  }

  /** Without an indexer; when that fails too, the caller hears why there was none. */
  async #followChain(why: unknown): Promise<DirectoryView> {
    const nowMs = this.#options.clock.now()
    try {
      return createView(await this.#chain.read(nowMs), nowMs)
    } catch (error) {
      throw errorCode(error) === 'NETWORK_NO_RELAY' ? error : why
    }
  }

  async #askTwice(url: string): Promise<DirectoryView> {
    try {
      return await this.#ask(url)
    } catch (error) {
      const mayPass = error instanceof MainframeError && error.retryable
      if (errorCode(error) !== 'INDEXER_INVALID' || !mayPass) throw error
      await sleep(this.#options.clock, RECHECK_MS)
      return await this.#ask(url)
    }
  }

  async #ask(url: string): Promise<DirectoryView> {
    const { chain, deployment, fetch, clock } = this.#options
    const nowMs = clock.now()
    const listing = await fetchListing({ url, fetch })
    const common = { chain, deployment, medium: this.#medium }
    const checked = await checkListing(listing, { ...common, seeds: this.#seeds, nowMs })
    await this.#assertComplete(url, checked)
    const users = await this.#settleUsers(url, checked)
    return createView({ ...checked, users }, nowMs)
  }

  /** Every relay that the log of the registry has must be listed. */
  async #assertComplete(url: string, checked: CheckedListing): Promise<void> {
    const { chain, deployment, fetch } = this.#options
    const { relays, block, completeBefore } = checked
    const end = await chain.logHead('registry', block.hash)
    const active = await this.#log.activeAt(end, logSource({ url, fetch }, deployment))
    const listed = new Set(relays.map(({ nodeId }) => nodeId))
    for (const [nodeId, registeredBlock] of active ?? []) {
      // the block after the registration places it: before that it is no relay
      if (registeredBlock < completeBefore && !listed.has(nodeId)) throw lie('omitted', nodeId)
    }
  }

  #settleUsers(url: string, { relays, users }: CheckedListing): Promise<number> {
    const { indexers, fetch, clock, onFault } = this.#options
    return settleUsers({
      others: indexers.filter((other) => other !== url),
      fetch,
      relays: relays.length,
      users,
      countOnChain: async () => (await this.#chain.read(clock.now())).users,
      onFault,
    })
  }
}
