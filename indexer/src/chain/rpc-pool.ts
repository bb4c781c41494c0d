/** Several RPC back-ends as one: who is asked, how often, and who is left out for a while. */
import { setTimeout as sleep } from 'node:timers/promises'
import { MainframeError } from '@mainframe/protocol'
import type { Logger } from 'pino'
import { Pace } from './pace.ts'
import { createHttpRpc, faultOf, type RpcCall } from './rpc.ts'

/** The chain's JSON-RPC, whatever the number of back-ends behind it. */
export interface Rpc {
  /** Asks the back-end in use, and after a failure the others. */
  call: RpcCall
  /** The newest block that any back-end knows, as it answers it. */
  latest(): Promise<unknown>
  /** Asks one back-end alone: for answers that belong together. */
  pin(): Promise<RpcCall>
}

export interface RpcPoolOptions {
  /** JSON-RPC URLs, the preferred one first. They may hold keys and are never logged. */
  urls: readonly string[]
  /** Id of the chain that every back-end must serve. */
  chainId: number
  /** Requests that one back-end is sent in a second. */
  requestsPerSecond: number
  signal: AbortSignal
  log: Logger
}

/** A back-end this far behind the best one is not asked until it has caught up. */
const MAX_LAG_BLOCKS = 3
/** How long the others may take to tell their heads after the first has. */
const GRACE_MS = 500
const FIRST_REST_MS = 250
const MAX_REST_MS = 30_000

interface Backend {
  /** Its place in the list: what it is called in the log. */
  number: number
  call: RpcCall
  pace: Pace
  failures: number
  /** Not asked before this moment of `performance.now`, unless nobody else is left. */
  restsUntil: number
  head: number
  lags: boolean
  /** The chain that it serves; undefined before it was asked. */
  chain: string | undefined
}

/**
 * A pool over `urls`. Every back-end is asked for its chain id and genesis block before anything
 * else: one that serves another chain than the first right one is never asked again. Calls reject
 * with `CHAIN_UNREACHABLE` when every back-end failed, and with `CONFIG_INVALID` when none serves
 * this chain.
 */
export function createRpcPool(options: RpcPoolOptions): Rpc {
  return new RpcPool(options)
}

class RpcPool implements Rpc {
  readonly #options: RpcPoolOptions
  readonly #backends: Backend[]
  #genesis: string | undefined

  constructor(options: RpcPoolOptions) {
    this.#options = options
    const { urls, requestsPerSecond, signal } = options
    this.#backends = urls.map((url, i) => ({
      number: i + 1,
      call: createHttpRpc(url, signal),
      pace: new Pace({ requestsPerSecond, signal }),
      failures: 0,
      restsUntil: 0,
      head: 0,
      lags: false,
      chain: undefined,
    }))
  }

  call: RpcCall = async (method, params) => {
    let failure: unknown
    for (const backend of this.#inOrder()) {
      try {
        return await this.#ask(backend, method, params)
      } catch (error) {
        if (this.#options.signal.aborted) throw error
        failure = error
      }
    }
    throw failure
  }

  async latest(): Promise<unknown> {
    const heads: { answer: unknown; backend: Backend }[] = []
    const now = performance.now()
    const rested = this.#inOrder().filter(({ restsUntil }) => restsUntil <= now)
    const asked = (rested.length > 0 ? rested : this.#inOrder()).map(async (backend) => {
      const answer = await this.#ask(backend, 'eth_getBlockByNumber', ['latest', false])
      backend.head = Number((answer as { number?: string } | null)?.number ?? 0)
      heads.push({ answer, backend })
    })
    const all = Promise.allSettled(asked)
    await Promise.any(asked).catch(({ errors: [first] }: AggregateError) => {
      throw first
    })
    // one that hangs must not hold up the others
    const abort = new AbortController()
    await Promise.race([all, sleep(GRACE_MS, undefined, { signal: abort.signal })])
    abort.abort()
    const [best] = heads.toSorted((a, b) => b.backend.head - a.backend.head)
    for (const { backend } of heads)
      this.#noteLag(backend, (best?.backend.head ?? 0) - backend.head)
    return best?.answer
  }

  async pin(): Promise<RpcCall> {
    const [backend] = this.#inOrder()
    if (!backend) throw this.#noneLeft()
    return (method, params) => this.#ask(backend, method, params)
  }

  /** Sound and current ones first, in the order of the list; those of another chain never. */
  #inOrder(): Backend[] {
    const now = performance.now()
    // one that failed has to answer a look at the head before it comes first again
    const rank = ({ restsUntil, failures, lags }: Backend) =>
      (restsUntil > now ? 4 : 0) + (failures > 0 ? 2 : 0) + (lags ? 1 : 0)
    const usable = this.#backends.filter(({ chain }) => chain !== 'another')
    if (usable.length === 0) throw this.#noneLeft()
    return usable.toSorted((a, b) => rank(a) - rank(b))
  }

  async #ask(backend: Backend, method: string, params: readonly unknown[]): Promise<unknown> {
    if (backend.chain === undefined) await this.#identify(backend)
    return this.#paced(backend, method, params)
  }

  async #paced(backend: Backend, method: string, params: readonly unknown[]): Promise<unknown> {
    await backend.pace.turn()
    try {
      const answer = await backend.call(method, params)
      backend.failures = 0
      backend.restsUntil = 0
      backend.pace.speedUp()
      return answer
    } catch (error) {
      this.#noteFailure(backend, error)
      throw error
    }
  }

  #noteFailure(backend: Backend, error: unknown): void {
    const { refused, rateLimitedMs } = faultOf(error)
    // a refusal is of the question, not of the back-end, unless it does not even say who it is
    if ((refused && backend.chain !== undefined) || this.#options.signal.aborted) return
    if (rateLimitedMs !== undefined) backend.pace.slowDown(rateLimitedMs)
    backend.failures += 1
    const restMs = Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** Math.min(backend.failures - 1, 16))
    // with jitter, so that indexers behind one RPC spread
    backend.restsUntil = performance.now() + restMs * (0.5 + Math.random() / 2)
    if (backend.failures > 1) return
    this.#options.log.warn({ backend: backend.number, err: error }, 'a chain RPC fails')
  }

  async #identify(backend: Backend): Promise<void> {
    const { chainId, log } = this.#options
    const [id, block] = await Promise.all([
      this.#paced(backend, 'eth_chainId', []),
      this.#paced(backend, 'eth_getBlockByNumber', ['0x0', false]),
    ])
    const genesis = String((block as { hash?: string } | null)?.hash)
    const isRight = Number(id) === chainId && genesis === (this.#genesis ?? genesis)
    backend.chain = isRight ? genesis : 'another'
    if (isRight) {
      this.#genesis ??= genesis
      return
    }
    log.error({ backend: backend.number, chainId: Number(id) }, 'a chain RPC serves another chain')
    const message = `The deployment is on chain ${chainId}, RPC ${backend.number} serves chain ${Number(id)}`
    throw new MainframeError(this.#isAnyLeft() ? 'CHAIN_UNREACHABLE' : 'CONFIG_INVALID', message, {
      retryable: true,
    })
  }

  #isAnyLeft(): boolean {
    return this.#backends.some(({ chain }) => chain !== 'another')
  }

  #noneLeft(): MainframeError {
    const message = `No RPC serves chain ${this.#options.chainId}, where the deployment is`
    return new MainframeError('CONFIG_INVALID', message)
  }

  #noteLag(backend: Backend, blocks: number): void {
    const lags = blocks > MAX_LAG_BLOCKS
    if (lags && !backend.lags) {
      this.#options.log.warn({ backend: backend.number, blocks }, 'a chain RPC lags behind')
    }
    backend.lags = lags
  }
}
