import { isAscii } from 'node:buffer'
import { once } from 'node:events'
import http, { type Agent as HttpAgent, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
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

/** Ten thousand logs, where providers stop, are a sixth of it; more is asked for in parts. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20
const HEADERS = { 'content-type': 'application/json', 'accept-encoding': 'gzip' }
const unzip = promisify(gunzip)

interface JsonRpcAnswer {
  result?: unknown
  error?: { code?: number; message?: string }
}

/** JSON-RPC over HTTP. `signal` ends every call; the URL, which may hold a key, is never repeated. */
export function createHttpRpc(rpcUrl: string, signal: AbortSignal): RpcCall {
  // a name and a password in it are sent as HTTP's basic authentication
  const url = new URL(rpcUrl)
  const { Agent } = url.protocol === 'https:' ? https : http
  const agent = new Agent({ keepAlive: true })
  signal.addEventListener('abort', () => agent.destroy(), { once: true })
  let id = 0
  return async (method, params) => {
    id += 1
    const body = { jsonrpc: '2.0', id, method, params }
    const answer = await post({ url, agent, signal, body })
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
  url: URL
  agent: HttpAgent
  body: object
  signal: AbortSignal
}

async function post(question: Question): Promise<JsonRpcAnswer> {
  let status: number | undefined
  try {
    const response = await send(question)
    status = response.statusCode ?? 0
    if (status === 429) {
      response.destroy()
      throw rateLimited(Number(response.headers['retry-after'] ?? 0) * 1_000)
    }
    if (status >= 500) {
      response.destroy()
      throw unreachable(`The chain RPC answers status ${status}`)
    }
    const answer = JSON.parse(await readText(response)) as JsonRpcAnswer | null
    if (answer !== null && typeof answer === 'object') return answer
  } catch (cause) {
    if (cause instanceof MainframeError) throw cause
    if (!(cause instanceof SyntaxError)) throw unreachable('The chain RPC does not answer', cause)
  }
  throw unreachable(`The chain RPC answers status ${status} without JSON-RPC`)
}

/** Not by `fetch`, which takes twice as long for an answer of logs. */
async function send({ url, agent, body, signal }: Question): Promise<IncomingMessage> {
  const { request: open } = url.protocol === 'https:' ? https : http
  const timed = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  const request = open(url, { method: 'POST', agent, headers: HEADERS, signal: timed })
  // what breaks later shows at the answer too
  request.on('error', () => undefined)
  request.end(JSON.stringify(body))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (response.headers['content-encoding'] !== 'gzip') return textOf(body)
  try {
    return textOf(await unzip(body, { maxOutputLength: MAX_ANSWER_BYTES }))
  } catch (error) {
    throw (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : error
  }
}

/** Logs are ASCII, which need not be decoded, only copied. */
function textOf(body: Buffer): string {
  return body.toString(isAscii(body) ? 'latin1' : 'utf8')
}

function tooLarge(): MainframeError {
  return new MainframeError('CHAIN_UNREACHABLE', 'The chain RPC answers more than is read', {
    details: { refused: true },
    retryable: true,
  })
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
