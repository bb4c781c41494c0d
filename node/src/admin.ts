/** The operator's HTTP interface: loopback only, behind a token in a file that only he can read. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { errorCode, MainframeError } from '@mainframe/protocol'
import { type Metric, renderMetrics } from './metrics.ts'
import { replaceDurably } from './storage/durable-file.ts'

/** What the interface shows and does. Bigints stand as decimal strings in JSON. */
export interface AdminHost {
  /** What ails the relay; empty when it does its work. */
  troubles(): string[]
  /** Why it does not take packets yet; empty when it does. */
  obstacles(): string[]
  metrics(): Metric[]
  status(): object
  claim(): Promise<object | undefined>
  /** What was earned from one day to another, both included. */
  earnings(days: { from?: string | undefined; to?: string | undefined }): Promise<object>
  audit(): Promise<object>
}

export interface AdminOptions {
  /** `admin.json` with url and token is written here. */
  dataFolder: string
  /** 0 takes a free port. */
  port: number
  host: AdminHost
}

const LOOPBACK = '127.0.0.1'
const ADMIN_FILE = 'admin.json'

type Answer = { status: number; body: string; type?: string }

export class Admin {
  readonly #options: AdminOptions
  readonly #token = randomBytes(32).toString('hex')
  readonly #server: Server
  #url = ''

  constructor(options: AdminOptions) {
    this.#options = options
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  /** Where it listens, such as `http://127.0.0.1:9464`. */
  get url(): string {
    return this.#url
  }

  /** Listens and writes `admin.json`. Throws `CONFIG_IN_USE`. */
  async start(): Promise<void> {
    const { port, dataFolder } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => reject(portFailure(port, cause)))
      this.#server.listen(port, LOOPBACK, resolve)
    })
    const address = this.#server.address()
    const bound = typeof address === 'object' && address ? address.port : port
    this.#url = `http://${LOOPBACK}:${bound}`
    const content = `${JSON.stringify({ url: this.#url, token: this.#token }, null, 2)}\n`
    await replaceDurably(join(dataFolder, ADMIN_FILE), Buffer.from(content))
  }

  async stop(): Promise<void> {
    await rm(join(this.#options.dataFolder, ADMIN_FILE), { force: true })
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume() // no request here has a body that counts
    const { status, body, type = 'application/json' } = await this.#answer(request)
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
    response.end(body)
  }

  async #answer({ method = '', url = '', headers }: IncomingMessage): Promise<Answer> {
    const { host } = this.#options
    if (!isAuthorized(headers.authorization, this.#token)) {
      return problem(401, 'the bearer token of admin.json is needed')
    }
    try {
      const { pathname, searchParams } = new URL(url, this.#url)
      const day = (name: string) => searchParams.get(name) ?? undefined
      switch (`${method} ${pathname}`) {
        case 'GET /healthz':
          return health(host.troubles())
        case 'GET /readyz':
          return health([...host.obstacles(), ...host.troubles()])
        case 'GET /metrics':
          return {
            status: 200,
            body: renderMetrics(host.metrics()),
            type: 'text/plain; version=0.0.4',
          }
        case 'GET /status':
          return json(200, host.status())
        case 'POST /claim':
          return json(200, { claim: (await host.claim()) ?? null })
        case 'GET /earnings':
          return json(200, await host.earnings({ from: day('from'), to: day('to') }))
        case 'POST /audit':
          return json(200, await host.audit())
        default:
          return problem(
            404,
            'GET /healthz, /readyz, /metrics, /status, /earnings or POST /claim, /audit',
          )
      }
    } catch (error) {
      const message = error instanceof MainframeError ? error.message : 'internal error'
      return json(500, { code: errorCode(error) ?? 'INTERNAL', message })
    }
  }
}

function health(reasons: readonly string[]): Answer {
  const ok = reasons.length === 0
  return json(ok ? 200 : 503, { ok, reasons })
}

function json(status: number, value: object): Answer {
  const plain = (_key: string, member: unknown) =>
    typeof member === 'bigint' ? member.toString() : member
  return { status, body: JSON.stringify(value, plain) }
}

function problem(status: number, message: string): Answer {
  return json(status, { message })
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function portFailure(port: number, cause: Error): MainframeError {
  return new MainframeError('CONFIG_IN_USE', `The admin port ${port} is in use`, { cause })
}
