/** Asking indexers: bounded, timed, and read by a schema before anything is believed. */
import {
  type ApiMeta,
  type ApiNode,
  type ApiPrice,
  ERROR_CODES,
  type ErrorCode,
  errorCode,
  MainframeError,
} from '@mainframe/protocol'
import { bool, hex, list, money, object, orNull, type Reader, text, whole } from '../readers.ts'

/** `fetch` of the platform, or of a test. */
export type Fetch = typeof fetch

/** Relays a page; the most that an indexer gives. */
const PAGE_LIMIT = 200
/** 200 relays with records of full size and 64 prices each. */
const MAX_BODY_BYTES = 16 * 1024 * 1024
/** All pages of one directory: 30,000 relays as they usually are. More is no network, but a loop. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024
/** The same in pages, which may be as good as empty. */
const MAX_PAGES = 500
const TIMEOUT_MS = 10_000
const MAX_PRICES = 64
const MAX_MULTIADDRS = 16

const word = hex(32)
const account = hex(20)
const logHead = object({ seq: whole, head: hex(24) })
const readMeta: Reader<ApiMeta> = object({
  chainId: whole,
  block: object({ number: whole, hash: word, time: whole }),
  finalized: whole,
  now: whole,
  registry: logHead,
  board: logHead,
})
const readPrice: Reader<ApiPrice> = object({
  service: word,
  token: account,
  price: money,
  next: money,
  nextFrom: whole,
  unit: whole,
  active: bool,
  current: orNull(money),
})
const readNode: Reader<ApiNode> = object({
  nodeId: word,
  operator: account,
  nodeKey: word,
  manager: account,
  payee: account,
  sealKey: word,
  multiaddrs: list(text, MAX_MULTIADDRS),
  multiaddrsRaw: hex(),
  metadata: hex(),
  stake: money,
  active: bool,
  unlockAt: whole,
  registeredBlock: whole,
  updatedBlock: whole,
  seedBlockHash: orNull(word),
  overlayAddress: orNull(word),
  signature: hex(),
  signed: bool,
  prices: list(readPrice, MAX_PRICES),
})
const readNodesPage = object<NodesPage>({
  meta: readMeta,
  nodes: list(readNode, PAGE_LIMIT),
  next: orNull(text),
})
const readNetwork = object<NetworkFacts>({ meta: readMeta, users: whole })

/** A page of relays as one indexer told it; nothing in it is checked against the chain yet. */
export interface NodesPage {
  meta: ApiMeta
  nodes: ApiNode[]
  next: string | null
}

/** What an indexer says about the network as a whole. */
export interface NetworkFacts {
  meta: ApiMeta
  users: number
}

/** All relays that one indexer lists, page by page, and its count of users. */
export interface Listing {
  pages: NodesPage[]
  users: number
}

export interface IndexerOptions {
  /** Base URL, such as `http://127.0.0.1:8700`. */
  url: string
  fetch: Fetch
  signal?: AbortSignal | undefined
}

/** With the bytes that all answers together may still have. */
export interface Listener extends IndexerOptions {
  budget: { leftBytes: number }
}

/** Throws `INDEXER_UNREACHABLE`, `INDEXER_INVALID`, or the code that the indexer gives as reason. */
export async function fetchListing(options: IndexerOptions): Promise<Listing> {
  const pages: NodesPage[] = []
  const listener = { ...options, budget: { leftBytes: MAX_LISTING_BYTES } }
  let cursor: string | null = null
  do {
    if (pages.length === MAX_PAGES) throw endless()
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: NodesPage = await ask(
      listener,
      `v1/nodes?limit=${PAGE_LIMIT}${after}`,
      readNodesPage,
    )
    pages.push(page)
    cursor = page.next
  } while (cursor !== null)
  const { users } = await ask(listener, 'v1/network', readNetwork)
  return { pages, users }
}

/** What one indexer says about the network as a whole. Throws as {@link fetchListing} does. */
export function fetchNetwork(options: IndexerOptions): Promise<NetworkFacts> {
  return ask({ ...options, budget: { leftBytes: MAX_BODY_BYTES } }, 'v1/network', readNetwork)
}

async function ask<T>(options: Listener, path: string, reader: Reader<T>): Promise<T> {
  return askText(options, path, (body) => reader(JSON.parse(body), ''))
}

/** An answer in whatever form `read` understands; what it throws makes the answer `INDEXER_INVALID`. */
export async function askText<T>(
  options: Listener,
  path: string,
  read: (body: string) => T,
): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
  const { status, body } = await get(options, path, signal)
  if (status !== 200) throw refusal(status, body)
  try {
    return read(body)
  } catch (cause) {
    const reason =
      errorCode(cause) === 'CODEC_INVALID' && cause instanceof Error
        ? cause.message
        : 'the body is not JSON'
    throw new MainframeError('INDEXER_INVALID', `The indexer's answer cannot be used: ${reason}`, {
      cause,
      details: { path, fault: 'schema' },
    })
  }
}

async function get(
  { url, fetch, signal: userSignal, budget }: Listener,
  path: string,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  try {
    const base = url.endsWith('/') ? url : `${url}/`
    const response = await fetch(new URL(path, base), { signal, redirect: 'error' })
    return { status: response.status, body: await readBody(response, budget) }
  } catch (cause) {
    if (userSignal?.aborted) throw userSignal.reason
    if (cause instanceof MainframeError) throw cause
    throw new MainframeError(
      'INDEXER_UNREACHABLE',
      'The indexer does not answer; check its address, or configure another one',
      { cause, retryable: true },
    )
  }
}

async function readBody(response: Response, budget: Listener['budget']): Promise<string> {
  const decoder = new TextDecoder()
  let out = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    budget.leftBytes -= chunk.byteLength
    if (bytes > MAX_BODY_BYTES || budget.leftBytes < 0) throw endless()
    out += decoder.decode(chunk, { stream: true })
  }
  return out + decoder.decode()
}

function endless(): MainframeError {
  return new MainframeError('INDEXER_INVALID', 'The indexer answers without end', {
    details: { fault: 'schema' },
  })
}

/** The error that an indexer's refusal (RFC 9457) stands for. */
function refusal(status: number, body: string): MainframeError {
  const code = refusalCode(body)
  return new MainframeError(
    code,
    `The indexer refuses to answer (HTTP ${status}); try again later`,
    {
      details: { status },
      retryable: true,
    },
  )
}

function refusalCode(body: string): ErrorCode {
  try {
    const { code } = object({ code: text })(JSON.parse(body), '')
    if (code.startsWith('INDEXER_') && Object.hasOwn(ERROR_CODES, code)) return code as ErrorCode
  } catch {
    // Not an answer of an indexer: a proxy's error page, perhaps.
  }
  return 'INDEXER_UNREACHABLE'
}
