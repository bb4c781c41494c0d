/** Connections to relays over libp2p, each with an identity of its own. */
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { yamux } from '@libp2p/yamux'
import {
  type ByteStream,
  boundStream,
  LINK_PROTOCOL,
  MainframeError,
  STREAM_WINDOW_BYTES,
} from '@mainframe/protocol'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { transports } from '#platform'
import type { Relay } from '../directory/relay.ts'

/** A stream to a relay and the host that belongs to it alone. */
export interface Connection {
  stream: ByteStream
  /** Ends the connection and forgets its identity. */
  close(): Promise<void>
}

/** Opens connections; a network in memory takes its place in tests. */
export type Connect = (relay: Relay, signal: AbortSignal) => Promise<Connection>

/** Time to connect, prove the key and agree on the protocol. */
const OPEN_TIMEOUT_MS = 10_000

/**
 * Connects under a fresh peer id, so that nothing but the IP address ties this connection to the
 * client's others. Noise proves that the relay holds its node key. Throws `NETWORK_NO_RELAY`.
 */
export const connect: Connect = async (relay, signal) => {
  const addresses = dialable(relay)
  if (addresses.length === 0) throw unreachable(relay)
  const host = await createHost()
  try {
    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]) }
    const stream = await host.dialProtocol(addresses, LINK_PROTOCOL, options)
    return { stream: boundStream(stream), close: () => stop(host) }
  } catch (cause) {
    await stop(host)
    if (signal.aborted) throw signal.reason
    throw unreachable(relay, cause)
  }
}

async function createHost(): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen: [] },
    transports: transports(),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })],
    // Relays stand in the registry with whatever addresses their operators reach them by.
    connectionGater: { denyDialMultiaddr: () => false },
    // Nobody reads what libp2p would log, and its lines hold peer ids and addresses.
    logger: { forComponent: () => silentLogger },
  })
}

async function stop(host: Libp2p): Promise<void> {
  await Promise.resolve(host.stop()).catch(() => {}) // its sockets are gone either way
}

const silent = () => {}
const silentLogger = Object.assign(silent, {
  enabled: false,
  trace: silent,
  error: silent,
  newScope: () => silentLogger,
})

/** The registered addresses that parse and name this relay or nobody. */
function dialable({ nodeKey, multiaddrs }: Relay): Multiaddr[] {
  const peerId = peerIdOf(nodeKey)
  if (!peerId) return []
  return multiaddrs.flatMap((text) => {
    try {
      const address = multiaddr(text)
      const named = address.getComponents().findLast(({ name }) => name === 'p2p')?.value
      if (named !== undefined) return named === peerId ? [address] : []
      return [address.encapsulate(`/p2p/${peerId}`)]
    } catch {
      return [] // a registration may hold anything
    }
  })
}

function peerIdOf(nodeKey: Uint8Array): string | undefined {
  try {
    return peerIdFromPublicKey(publicKeyFromRaw(nodeKey)).toString()
  } catch {
    return undefined // 32 bytes that are no Ed25519 key
  }
}

function unreachable({ nodeId }: Relay, cause?: unknown): MainframeError {
  return new MainframeError('NETWORK_NO_RELAY', 'A relay cannot be reached at its addresses', {
    cause,
    details: { nodeId },
    retryable: true,
  })
}
