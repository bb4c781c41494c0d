import { MainframeError } from '@mainframe/protocol'

/** Calls one method of the chain's JSON-RPC; rejects with `CHAIN_UNREACHABLE` and {@link RpcFault}. */
export type RpcCall = (method: string, params: readonly unknown[]) => Promise<unknown>

/** Among the details of a `CHAIN_UNREACHABLE`: what kind of failure it was. */
export interface RpcFault {
  /** The RPC did answer, but not this question: too large, unknown block, no such method. */
  refused?: true
  /** Asked too often; how long it wants to be left alone, in milliseconds, 0 when it did not say. */
  rateLimitedMs?: number
}

/** What kind of failure an error of an {@link RpcCall} is. */
export function faultOf(error: unknown): RpcFault {
  return error instanceof MainframeError ? (error.details as RpcFault) : {}
}

/** A range of logs may take a public RPC seconds; past this it is asked for less at a time. */
const TIMEOUT_MS = 15_000
/** JSON-RPC's own way of saying 429 (EIP-1474), and how providers put it in words. */
const LIMIT_EXCEEDED = -32_005
const RATE_LIMIT_WORDS = /rate.?limit|too many requests|compute units|throughput/i

interface JsonRpcAnswer {
  result?: unknown
  error?: { code?: number; message?: string }
}

/** JSON-RPC over HTTP. `signal` ends every call; the URL, which may hold a key, is never repeated. */
export function createHttpRpc(rpcUrl: string, signal: AbortSignal): RpcCall {
  const { url, headers } = splitCredentials(rpcUrl)
  let id = 0
  return async (method, params) => {
    id += 1
    const body = { jsonrpc: '2.0', id, method, params }
    const answer = await post({ url, headers, signal, body })
    if (answer.error === undefined && answer.result !== undefined) return answer.result
    throw refusal(method, answer.error)
  }
}

function refusal(method: string, error: JsonRpcAnswer['error']): MainframeError {
  const { code, message = 'no result' } = error ?? {}
  // "query returned more than 10000 results" comes with the same code as a limit of requests
  const isLimit =
    RATE_LIMIT_WORDS.test(message) || (code === LIMIT_EXCEEDED && !/result/.test(message))
  if (isLimit) return rateLimited(0)
  return new MainframeError(
    'CHAIN_UNREACHABLE',
    `The chain RPC refuses ${method}: ${message.slice(0, 200)}`,
    { details: { refused: true }, retryable: true },
  )
}

interface Question {
  url: string
  headers: Record<string, string>
  body: object
  signal: AbortSignal
}

async function post({ url, headers, body, signal }: Question): Promise<JsonRpcAnswer> {
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    if (response.status === 429) {
      await response.body?.cancel()
      throw rateLimited(Number(response.headers.get('retry-after') ?? 0) * 1_000)
    }
    if (response.status >= 500) {
      await response.body?.cancel()
      throw unreachable(`The chain RPC answers status ${response.status}`)
    }
    const answer = (await response.json()) as JsonRpcAnswer | null
    if (answer !== null && typeof answer === 'object') return answer
  } catch (cause) {
    if (cause instanceof MainframeError) throw cause
    throw unreachable('The chain RPC does not answer', cause)
  }
  throw unreachable(`The chain RPC answers status ${response.status} without JSON-RPC`)
}

/** `fetch` refuses a URL with a password, and says it aloud. */
function splitCredentials(rpcUrl: string): Pick<Question, 'url' | 'headers'> {
  const url = new URL(rpcUrl)
  const { username, password } = url
  url.username = ''
  url.password = ''
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  const authorization = `Basic ${credentials.toString('base64')}`
  return {
    url: url.href,
    headers: { 'content-type': 'application/json', ...(username && { authorization }) },
  }
}

function rateLimited(waitMs: number): MainframeError {
  const rateLimitedMs = Number.isFinite(waitMs) ? Math.max(0, waitMs) : 0
  return new MainframeError('CHAIN_UNREACHABLE', 'The chain RPC was asked too often', {
    details: { rateLimitedMs },
    retryable: true,
  })
}

function unreachable(message: string, cause?: unknown): MainframeError {
  return new MainframeError('CHAIN_UNREACHABLE', message, { cause, retryable: true })
}
