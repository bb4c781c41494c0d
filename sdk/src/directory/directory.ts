/** The client's view of the network: fetched from indexers, checked on chain, refreshed by age. */
import { type Deployment, errorCode, type Hex, MainframeError } from '@mainframe/protocol'
import type { DirectoryChain } from '../chain/chain.ts'
import { type Clock, sleep } from '../clock.ts'
import { checkListing, MAX_AGE_MS } from './check-listing.ts'
import { type Fetch, fetchListing } from './indexer-api.ts'
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
}

/** Wait before an indexer is asked again whose answer the chain did not confirm yet. */
const RECHECK_MS = 500

export class Directory {
  readonly #options: DirectoryOptions
  readonly #seeds = new Map<number, Hex>()
  #view: DirectoryView | undefined
  #refreshing: Promise<DirectoryView> | undefined
  #isOutdated = false

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  /** The newest view, however old; `undefined` before the first. */
  get view(): DirectoryView | undefined {
    return this.#view
  }

  /**
   * A view of at most the configured age. While no indexer answers, one of up to 30 minutes will do;
   * an indexer that lies is never covered up. Throws `INDEXER_UNREACHABLE`, `INDEXER_INVALID`,
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
        return this.#view
      } catch (error) {
        // A lie is worth more to the caller than the silence of the next one.
        if (errorCode(worst) !== 'INDEXER_INVALID') worst = error
      }
    }
    throw worst ?? new MainframeError('CONFIG_INVALID', 'Configure at least one indexer')
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
    const { medium = deployment.token.toLowerCase() as Hex } = this.#options
    const common = { chain, deployment, medium }
    const checked = await checkListing(listing, { ...common, seeds: this.#seeds, nowMs })
    return createView(checked, nowMs)
  }
}
