/** The watchtower's door: HTTP, to be put behind a proxy with a certificate. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { fromHex, type Hex, MainframeError } from '@mainframe/protocol'
import type { Desk, DeskRefusal } from './desk.ts'
import { MAX_BODY_BYTES, SIGNATURE_HEADER, VOUCHERS_PATH } from './wire.ts'

export interface ServerOptions {
  host: string
  /** 0 takes a free port. */
  port: number
  desk: Pick<Desk, 'take'>
  /** What ails the watchtower; empty when it does its work. */
  troubles(): string[]
  /** The disk failed: nothing more is taken. */
  onFailure(error: unknown): void
}

/** Connections at a time; one that is silent for long is cut off. */
const MAX_CONNECTIONS = 256
const REQUEST_TIMEOUT_MS = 15_000

const REFUSALS: Readonly<Record<DeskRefusal, readonly [status: number, message: string]>> = {
  malformed: [400, 'the body is not a request of docs/watchtower.md'],
  stale: [401, 'the time of the request is not now: set the clock'],
  unsigned: [401, `the header ${SIGNATURE_HEADER} is not the payee's signature of this body`],
  unserved: [403, 'this watchtower does not serve this payee'],
  busy: [503, 'too many requests wait; try again later'],
}

type Answer = readonly [status: number, body: object]

export class TowerServer {
  readonly #options: ServerOptions
  readonly #server: Server
  #url = ''

  constructor(options: ServerOptions) {
    this.#options = options
    const limits = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }
    this.#server = createServer(limits, (request, response) => void this.#serve(request, response))
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Where it listens, such as `http://127.0.0.1:9470`. */
  get url(): string {
    return this.#url
  }

  /** Throws `CONFIG_IN_USE`. */
  async start(): Promise<void> {
    const { host, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => reject(notListening(host, port, cause)))
      this.#server.listen(port, host, resolve)
    })
    const address = this.#server.address()
    const bound = typeof address === 'object' && address ? address.port : port
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [status, body] = await this.#answer(request)
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(body))
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method, url } = request
    if (method === 'GET' && url === '/healthz') {
      const reasons = this.#options.troubles()
      return [reasons.length === 0 ? 200 : 503, { ok: reasons.length === 0, reasons }]
    }
    if (method !== 'POST' || url !== VOUCHERS_PATH) {
      return problem(404, `POST ${VOUCHERS_PATH} or GET /healthz`)
    }
    if (!(Number(request.headers['content-length']) <= MAX_BODY_BYTES)) {
      return problem(413, `a body says its length, and has at most ${MAX_BODY_BYTES} bytes`)
    }
    const body = await readBody(request)
    if (!body) return problem(400, 'the body did not arrive')
    return await this.#take(body, request.headers[SIGNATURE_HEADER])
  }

  async #take(body: Uint8Array, header: string | string[] | undefined): Promise<Answer> {
    const hex = typeof header === 'string' && /^0x[0-9a-f]{128}$/.test(header) ? header : '0x'
    try {
      const answer = await this.#options.desk.take(body, fromHex(hex as Hex))
      return typeof answer === 'string' ? problem(...REFUSALS[answer]) : [200, answer]
    } catch (error) {
      this.#options.onFailure(error)
      return problem(500, 'the watchtower cannot keep anything now')
    }
  }
}

/** No longer than it said (Node sees to that); `undefined` when the sender goes away. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk)
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}

function problem(status: number, message: string): Answer {
  return [status, { message }]
}

function notListening(host: string, port: number, cause: Error): MainframeError {
  const message = `The watchtower cannot listen on ${host} port ${port}: ${cause.message}`
  return new MainframeError('CONFIG_IN_USE', message, { cause })
}
