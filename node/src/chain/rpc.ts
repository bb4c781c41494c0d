/** JSON-RPC to an Ethereum node: one request at a time a call, retried when the node does not answer. */
import { setTimeout } from 'node:timers/promises'
import { type Hex, MainframeError } from '@mainframe/protocol'

/** Milliseconds after which a request counts as not answered. */
const REQUEST_TIMEOUT_MS = 15_000
/** Waits between the tries of one request: a node that restarts is back within them. */
const BACK_OFF_MS = [100, 300, 1_000, 3_000]
/** HTTP status of a node that wants to be asked less often. */
const TOO_MANY_REQUESTS = 429
/** JSON-RPC code that several providers use for the same. */
const LIMIT_EXCEEDED = -32005

export interface RpcOptions {
  url: string
  /** Ends requests and waits; they reject with `NETWORK_CLOSED`. */
  signal?: AbortSignal
  /** Waits between the tries of one request, in milliseconds. */
  backOffMs?: readonly number[]
  /** After how long a request counts as not answered. */
  timeoutMs?: number
}

/** A request to the chain's node. Reads are safe to repeat, and so is a signed transaction. */
export class Rpc {
  readonly #url: string
  readonly #signal: AbortSignal | undefined
  readonly #backOffMs: readonly number[]
  readonly #timeoutMs: number
  #id = 0

  constructor(options: RpcOptions) {
    const { url, signal, backOffMs = BACK_OFF_MS, timeoutMs = REQUEST_TIMEOUT_MS } = options
    this.#url = url
    this.#timeoutMs = timeoutMs
    this.#backOffMs = backOffMs
    this.#signal = signal
  }

  /**
   * The result of a call. Rejects with `CHAIN_UNREACHABLE` (retryable) after the last try, with
   * `CHAIN_REJECTED` when the node answers with an error (`details.data` holds revert data), with
   * `NETWORK_CLOSED` when the signal ended it.
   */
  async request<T>(method: string, params: readonly unknown[] = []): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      if (this.#signal?.aborted) throw closed()
      const answer = await this.#post(method, params)
      if (!('failure' in answer)) return answer.result as T
      const backOffMs = this.#backOffMs[attempt]
      if (backOffMs === undefined || !answer.failure.retryable) throw answer.failure
      await this.pause(backOffMs)
    }
  }

  /** Waits; rejects with `NETWORK_CLOSED` when the signal ends it. */
  async pause(ms: number): Promise<void> {
    const options = this.#signal ? { signal: this.#signal } : {}
    await setTimeout(ms, undefined, options).catch(() => {
      throw closed()
    })
  }

  async #post(
    method: string,
    params: readonly unknown[],
  ): Promise<{ result: unknown } | { failure: MainframeError }> {
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    this.#id += 1
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: this.#id, method, params }),
        signal: this.#signal ? AbortSignal.any([this.#signal, timeout]) : timeout,
      })
      if (response.status === TOO_MANY_REQUESTS || response.status >= 500) {
        return { failure: unreachable(method, `HTTP status ${response.status}`) }
      }
      return readAnswer(method, await response.json())
    } catch (cause) {
      if (this.#signal?.aborted) return { failure: closed() }
      return { failure: unreachable(method, 'it does not answer', cause) }
    }
  }
}

function readAnswer(
  method: string,
  body: unknown,
): { result: unknown } | { failure: MainframeError } {
  if (typeof body !== 'object' || body === null) {
    return { failure: unreachable(method, 'its answer is no JSON-RPC') }
  }
  if ('error' in body && typeof body.error === 'object' && body.error !== null) {
    return { failure: rejected(method, body.error) }
  }
  return 'result' in body
    ? { result: body.result }
    : { failure: unreachable(method, 'its answer is no JSON-RPC') }
}

function rejected(method: string, error: object): MainframeError {
  const code = 'code' in error ? Number(error.code) : 0
  const text = 'message' in error ? String(error.message).slice(0, 300) : 'no reason given'
  const data = 'data' in error ? revertData(error.data) : undefined
  if (code === LIMIT_EXCEEDED) return unreachable(method, text)
  return new MainframeError('CHAIN_REJECTED', `The chain refused ${method}: ${text}`, {
    details: { method, rpcCode: code, ...(data ? { data } : {}) },
  })
}

/** Nodes put revert data into `error.data` itself or into an object there. */
function revertData(data: unknown): Hex | undefined {
  if (typeof data === 'string') return /^0x[0-9a-fA-F]*$/.test(data) ? (data as Hex) : undefined
  if (typeof data === 'object' && data !== null && 'data' in data) return revertData(data.data)
  return undefined
}

/** The URL stays out of messages: it may hold an access key. */
function unreachable(method: string, reason: string, cause?: unknown): MainframeError {
  return new MainframeError(
    'CHAIN_UNREACHABLE',
    `No answer to ${method} from the chain: ${reason}`,
    {
      retryable: true,
      ...(cause === undefined ? {} : { cause }),
    },
  )
}

function closed(): MainframeError {
  return new MainframeError('NETWORK_CLOSED', 'The chain is not asked any more: the relay stops')
}
