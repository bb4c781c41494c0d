/** libp2p: TCP and WebSocket, Noise, Yamux, and streams of the packet protocol (PROTOCOL.md §3). */
import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import {
  type ByteStream,
  boundStream,
  LINK_PROTOCOL,
  MainframeError,
  STREAM_WINDOW_BYTES,
} from '@mainframe/protocol'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { AddressLookup, type AddressLookupOptions } from './address-lookup.ts'
import type { HostComponents } from './dht-host.ts'
import { relayNoise } from './noise.ts'

export interface NetworkOptions {
  /** 32-byte Ed25519 seed of the node key, which is the libp2p identity. */
  nodeSeed: Uint8Array
  /** Multiaddrs to listen on; port 0 takes a free one. */
  listen: readonly string[]
  /** Multiaddrs that others are told instead, for relays behind a translated address. */
  announce?: readonly string[]
  maxConnections: number
  /** Connections that one host may open a second. */
  maxConnectionsPerSecond: number
  /** Where a relay was reached: one of the addresses that were dialled. */
  onReached?(nodeKey: Uint8Array, address: string): void
  /** Takes part in the relays' table of addresses; clients do not. */
  lookup?: AddressLookupOptions
}

/** An incoming link and the key that its other end proved to hold. */
export type OnStream = (stream: ByteStream, remoteKey: Uint8Array) => void

/** Streams of the packet protocol on one connection: ours to pay, theirs to pay, and one being replaced. */
const STREAMS_PER_CONNECTION = 8
const PENDING_CONNECTIONS = 64
/** Time to connect, prove the key and agree on the protocol. */
const OPEN_TIMEOUT_MS = 10_000

type Host = Libp2p<{ addresses: AddressLookup | undefined }>

export class Network {
  readonly #options: NetworkOptions
  #libp2p: Host | undefined

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  /** Listens. Throws `CONFIG_IN_USE` or `CONFIG_INVALID` when an address cannot be listened on. */
  async start(onStream: OnStream): Promise<void> {
    const libp2p = await create(this.#options)
    await libp2p.handle(
      LINK_PROTOCOL,
      (stream, connection) => accept(stream, connection, onStream),
      {
        maxInboundStreams: STREAMS_PER_CONNECTION,
        maxOutboundStreams: STREAMS_PER_CONNECTION,
      },
    )
    await Promise.resolve(libp2p.start()).catch((cause: unknown) => {
      throw listenFailure(this.#options.listen, cause)
    })
    // what libp2p notes about a peer is of no use once it is gone, and clients are new each time
    libp2p.addEventListener('peer:disconnect', ({ detail }) => {
      void libp2p.peerStore.delete(detail).catch(() => {})
    })
    this.#libp2p = libp2p
  }

  /** Where this relay listens, with its peer id; empty before {@link start}. */
  get multiaddrs(): string[] {
    return this.#libp2p?.getMultiaddrs().map((address) => address.toString()) ?? []
  }

  /**
   * A new stream to the relay with this node key at one of these addresses; Noise proves the key.
   * Throws what libp2p throws when the relay cannot be reached.
   */
  async open(
    relay: { nodeKey: Uint8Array; multiaddrs: readonly string[] },
    signal: AbortSignal,
  ): Promise<ByteStream> {
    if (!this.#libp2p) throw new MainframeError('NETWORK_CLOSED', 'The network is not started')
    const peer = peerIdFromPublicKey(publicKeyFromRaw(relay.nodeKey))
    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]) }
    const connected = this.#libp2p.getConnections(peer).find(({ status }) => status === 'open')
    const connection = connected ?? (await this.#dial(relay, peer.toString(), options))
    this.#libp2p.services.addresses?.meet(connection)
    const limit = { maxOutboundStreams: STREAMS_PER_CONNECTION }
    return boundStream(await connection.newStream(LINK_PROTOCOL, { ...options, ...limit }))
  }

  /** Addresses beside the registered ones that the relay with this key has signed; none without a table. */
  async find(peerKey: string, signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#libp2p?.services.addresses?.find(peerKey, signal)) ?? []
  }

  async #dial(
    { nodeKey, multiaddrs }: { nodeKey: Uint8Array; multiaddrs: readonly string[] },
    peerId: string,
    options: { signal: AbortSignal },
  ): Promise<Connection> {
    if (!this.#libp2p) throw new MainframeError('NETWORK_CLOSED', 'The network is not started')
    const connection = await this.#libp2p.dial(dialable(multiaddrs, peerId), options)
    // as registered: the peer id is implied
    const reached = connection.remoteAddr.toString().replace(`/p2p/${peerId}`, '')
    if (connection.direction === 'outbound') this.#options.onReached?.(nodeKey, reached)
    return connection
  }

  async stop(): Promise<void> {
    await this.#libp2p?.stop()
    this.#libp2p = undefined
  }
}

async function create(options: NetworkOptions): Promise<Host> {
  const { lookup } = options
  return await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.nodeSeed),
    addresses: { listen: [...options.listen], announce: [...(options.announce ?? [])] },
    transports: [tcp(), webSockets()],
    connectionEncrypters: [relayNoise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })],
    connectionManager: {
      maxConnections: options.maxConnections,
      inboundConnectionThreshold: options.maxConnectionsPerSecond,
      maxIncomingPendingConnections: PENDING_CONNECTIONS,
    },
    services: {
      addresses: (host: HostComponents) => lookup && new AddressLookup(host, lookup),
    },
    // Nobody listens to what libp2p would log, and its lines hold peer ids and addresses.
    logger: { forComponent: () => silentLogger },
  })
}

const silent = () => {}
const silentLogger = Object.assign(silent, {
  enabled: false,
  trace: silent,
  error: silent,
  newScope: () => silentLogger,
})

function accept(stream: Stream, connection: Connection, onStream: OnStream): void {
  const key = connection.remotePeer.publicKey
  if (key?.type === 'Ed25519') onStream(boundStream(stream), key.raw)
  else stream.abort(new MainframeError('CRYPTO_INVALID_KEY', 'Links need an Ed25519 identity'))
}

/** The addresses that parse and name this peer or nobody; a registration may hold anything. */
function dialable(addresses: readonly string[], peerId: string): Multiaddr[] {
  return addresses.flatMap((text) => {
    try {
      const address = multiaddr(text)
      const named = address.getComponents().findLast(({ name }) => name === 'p2p')?.value
      if (named !== undefined) return named === peerId ? [address] : []
      return [address.encapsulate(`/p2p/${peerId}`)]
    } catch {
      return []
    }
  })
}

function listenFailure(listen: readonly string[], cause: unknown): MainframeError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const where = listen.join(', ')
  return reason.includes('EADDRINUSE')
    ? new MainframeError('CONFIG_IN_USE', `The port of ${where} is in use`, { cause })
    : new MainframeError('CONFIG_INVALID', `Cannot listen on ${where}`, { cause })
}
