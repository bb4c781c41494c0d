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
export function createHttpRpc(url: string, signal: AbortSignal): RpcCall {
  let id = 0
  return async (method, params) => {
    id += 1
    const answer = await post(url, JSON.stringify({ jsonrpc: '2.0', id, method, params }), signal)
    if (answer.error === undefined && answer.result !== undefined) return answer.result
    const reason = answer.error?.message ?? 'no result'
    throw new MainframeError(
      'CHAIN_UNREACHABLE',
      `The chain RPC refuses ${method}: ${reason.slice(0, 200)}`,
      { details: { refused: true }, retryable: true },
    )
  }
}

async function post(url: string, body: string, signal: AbortSignal): Promise<JsonRpcAnswer> {
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    const answer = (await response.json()) as JsonRpcAnswer | null
    if (answer !== null && typeof answer === 'object') return answer
  } catch (cause) {
    throw unreachable('The chain RPC does not answer', cause)
  }
  throw unreachable(`The chain RPC answers status ${response.status} without JSON-RPC`)
}

function unreachable(message: string, cause?: unknown): MainframeError {
  return new MainframeError('CHAIN_UNREACHABLE', message, { cause, retryable: true })
}
