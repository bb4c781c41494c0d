import { MainframeError } from '@mainframe/protocol'

/**
 * Calls one method of the chain's JSON-RPC; rejects with `CHAIN_UNREACHABLE`, with `refused` among
 * its details when the RPC did answer, but not this question.
 */
export type RpcCall = (method: string, params: readonly unknown[]) => Promise<unknown>

/** A range of logs may take a public RPC seconds; past this it is asked for less at a time. */
const TIMEOUT_MS = 15_000

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
    const answer = await post({
      url,
      headers,
      signal,
      body: { jsonrpc: '2.0', id, method, params },
    })
    if (answer.error === undefined && answer.result !== undefined) return answer.result
    const reason = answer.error?.message ?? 'no result'
    throw new MainframeError(
      'CHAIN_UNREACHABLE',
      `The chain RPC refuses ${method}: ${reason.slice(0, 200)}`,
      { details: { refused: true }, retryable: true },
    )
  }
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
    const answer = (await response.json()) as JsonRpcAnswer | null
    if (answer !== null && typeof answer === 'object') return answer
  } catch (cause) {
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

function unreachable(message: string, cause?: unknown): MainframeError {
  return new MainframeError('CHAIN_UNREACHABLE', message, { cause, retryable: true })
}
