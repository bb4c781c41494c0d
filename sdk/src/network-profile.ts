/** Where a network is: what a client is told, or finds under a name, a URL or in a file. */
import { type Deployment, MainframeError, parseDeployment } from '@mainframe/protocol'
import { readLocalProfile } from '#platform'
import type { Fetch } from './directory/indexer-api.ts'

/** Where a network is, and where to ask about it. */
export interface NetworkOptions {
  /** JSON-RPC endpoint of the chain. It may hold a key: no error repeats it. */
  rpcUrl: string
  deployment: Deployment
  /** Base URLs of indexers; the next one is asked when one does not answer or lies. */
  indexers: readonly string[]
}

const LOCAL = 'local'
const MOST_INDEXERS = 16
/** A profile has some hundred bytes. */
const MOST_BYTES = 64 * 1024
const TIMEOUT_MS = 10_000

/**
 * A network by options, or by a profile: `local` (also without anything), the URL of its JSON, or the
 * JSON itself. Throws `CONFIG_INVALID`.
 */
export async function resolveNetwork(
  network: NetworkOptions | string = LOCAL,
  fetch: Fetch = globalThis.fetch,
): Promise<NetworkOptions> {
  if (typeof network !== 'string') return network
  if (network === LOCAL) return await localNetwork()
  if (network.trimStart().startsWith('{')) return parseNetworkProfile(network)
  return parseNetworkProfile(await fetchProfile(urlOf(network), fetch))
}

/** The network of `npm start`, by the file that it writes. Throws `CONFIG_INVALID`. */
export async function localNetwork(file?: string): Promise<NetworkOptions> {
  return parseNetworkProfile(await readLocalProfile(file))
}

/** The network of a profile's JSON text. Throws `CONFIG_INVALID`. */
export function parseNetworkProfile(text: string): NetworkOptions {
  const profile = parseObject(text)
  const { rpcUrl, indexers, deployment } = profile
  if (profile['version'] !== 1) throw invalid('its version is not 1; update this software')
  if (!isHttp(rpcUrl)) throw invalid('rpcUrl is no HTTP address')
  const isList = Array.isArray(indexers) && indexers.length > 0 && indexers.length <= MOST_INDEXERS
  if (!isList || !indexers.every(isHttp)) {
    throw invalid(`indexers are no list of 1 to ${MOST_INDEXERS} HTTP addresses`)
  }
  const where = 'the network profile'
  return { rpcUrl, indexers, deployment: parseDeployment(deployment, { where }) }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // told below
  }
  throw invalid('there is no JSON object')
}

function isHttp(value: unknown): value is string {
  return (
    typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
  )
}

/** Whoever can change a profile on its way decides where the money goes. */
function urlOf(text: string): URL {
  if (!URL.canParse(text)) {
    const known = `there is "${LOCAL}"; or pass the URL or the text of a profile`
    throw new MainframeError(
      'CONFIG_INVALID',
      `There is no network "${text.slice(0, 64)}": ${known}`,
    )
  }
  const url = new URL(text)
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isHere)) return url
  throw new MainframeError(
    'CONFIG_INVALID',
    'A network profile is fetched by https, or from this machine; use such a URL, or its text',
  )
}

async function fetchProfile(url: URL, fetch: Fetch): Promise<string> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const response = await fetch(url, { signal, redirect: 'error' })
    if (!response.ok) throw invalid(`its URL answers ${response.status}`)
    return await readText(response)
  } catch (cause) {
    if (cause instanceof MainframeError) throw cause
    throw new MainframeError(
      'CONFIG_INVALID',
      'The network profile cannot be fetched; check its URL',
      {
        cause,
        retryable: true,
      },
    )
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let [text, bytes] = ['', 0]
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw invalid(`it has more than ${MOST_BYTES} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function invalid(problem: string): MainframeError {
  return new MainframeError('CONFIG_INVALID', `The network profile cannot be used: ${problem}`)
}
