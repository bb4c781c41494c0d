/**
 * What kad-dht gets to see of libp2p: only connections to registered relays that links have opened. It
 * can dial nobody, keeps no peers and no addresses of its own, and reads no more than it needs.
 */

import type { Connection, PeerId, PeerStore, Stream, Topology } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import { MainframeError } from '@mainframe/protocol'
import { MemoryDatastore } from 'datastore-core'
import type { Key } from 'interface-datastore'

/** What libp2p hands to its services, as far as the table of addresses needs it. */
export type HostComponents = Omit<KadDHTComponents, 'ping' | 'datastore'>

/** Streams of the table on one connection and way; each carries a question and its answer. */
export const STREAMS_PER_PEER = 4
/** One answer names 20 relays and holds one record. */
const MOST_ANSWER_BYTES = 65_536
/** The longest question brings a record. */
const MOST_QUESTION_BYTES = 4_096
/** Questions that one relay may ask in a minute. */
const QUESTIONS_PER_MINUTE = 120
const RECORD_PREFIX = '/dht/record/'

export interface DhtHost {
  components: KadDHTComponents
  /** Tells the table who is connected now; false when it is no relay. */
  onConnect(connection: Connection): boolean
}

export function createDhtHost(host: HostComponents, isPeer: (peer: PeerId) => boolean): DhtHost {
  const topologies = new Map<string, Topology>()
  const connectionTo = (peer: PeerId) =>
    isPeer(peer)
      ? host.connectionManager.getConnections(peer).find(({ status }) => status === 'open')
      : undefined
  const components = {
    peerId: host.peerId,
    privateKey: host.privateKey,
    addressManager: host.addressManager,
    events: host.events,
    logger: host.logger,
    registrar: guardRegistrar(host.registrar, topologies, isPeer),
    connectionManager: connectedOnly(connectionTo),
    peerStore: forgetfulPeers(connectionTo),
    datastore: new RecordStore(),
    ping: {
      ping: async (peer: PeerId) => {
        if (!connectionTo(peer)) throw notConnected()
        return 0
      },
    },
  } as unknown as KadDHTComponents // each part has just the methods that kad-dht calls
  return {
    components,
    onConnect: (connection) => {
      if (!isPeer(connection.remotePeer)) return false
      for (const { onConnect } of topologies.values())
        onConnect?.(connection.remotePeer, connection)
      return true
    },
  }
}

/** Answers registered relays only, so many questions a minute, and none that is long. */
function guardRegistrar(
  registrar: Registrar,
  topologies: Map<string, Topology>,
  isPeer: (peer: PeerId) => boolean,
): Pick<Registrar, 'handle' | 'unhandle' | 'register' | 'unregister'> {
  const quota = new Quota()
  return {
    handle: (protocol, handler, options) =>
      registrar.handle(
        protocol,
        (stream, connection) => {
          const { remotePeer } = connection
          if (!isPeer(remotePeer) || !quota.take(remotePeer.toString())) {
            stream.abort(new MainframeError('NETWORK_CLOSED', 'The table is for relays'))
            return
          }
          limitBytes(stream, MOST_QUESTION_BYTES)
          return handler(stream, connection)
        },
        options,
      ),
    unhandle: (protocols, options) => registrar.unhandle(protocols, options),
    register: async (protocol, topology) => {
      topologies.set(protocol, topology)
      return protocol
    },
    unregister: (protocol) => void topologies.delete(protocol),
  }
}

function connectedOnly(
  connectionTo: (peer: PeerId) => Connection | undefined,
): Pick<ConnectionManager, 'isDialable'> & { openStream: ConnectionManager['openStream'] } {
  return {
    isDialable: async () => false,
    openStream: async (peer, protocol, options = {}) => {
      const connection = connectionTo(peer as PeerId)
      if (!connection) throw notConnected()
      const limits = { ...options, maxOutboundStreams: STREAMS_PER_PEER }
      const stream = await connection.newStream(protocol, limits)
      limitBytes(stream, MOST_ANSWER_BYTES)
      return stream
    },
  }
}

/** Knows who is connected and nothing else. */
function forgetfulPeers(
  connectionTo: (peer: PeerId) => Connection | undefined,
): Pick<PeerStore, 'get' | 'getInfo' | 'merge' | 'all'> {
  const blank = { addresses: [], protocols: [], metadata: new Map(), tags: new Map() }
  const get = async (id: PeerId) => {
    if (!connectionTo(id)) throw asNotFound(notConnected())
    return { id, ...blank }
  }
  return {
    get,
    getInfo: async (id) => ({ ...(await get(id)), multiaddrs: [] }),
    merge: async (id) => ({ id, ...blank }),
    all: async () => [],
  }
}

/** Keeps records, whose keys a validator has checked; nobody has to provide anything. */
class RecordStore extends MemoryDatastore {
  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    return key.toString().startsWith(RECORD_PREFIX) ? super.put(key, value) : key
  }
}

/** So many a minute for each. */
export class Quota {
  readonly #taken = new Map<string, number>()
  #minute = 0

  take(who: string): boolean {
    const minute = Math.floor(Date.now() / 60_000)
    if (minute !== this.#minute) this.#taken.clear()
    this.#minute = minute
    const taken = (this.#taken.get(who) ?? 0) + 1
    this.#taken.set(who, taken)
    return taken <= QUESTIONS_PER_MINUTE
  }
}

function limitBytes(stream: Stream, most: number): void {
  let bytes = 0
  stream.addEventListener('message', ({ data }) => {
    bytes += data.byteLength
    if (bytes > most) {
      stream.abort(new MainframeError('NETWORK_CLOSED', 'The peer says too much'))
    }
  })
}

function notConnected(): MainframeError {
  return new MainframeError('NETWORK_CLOSED', 'The table speaks with connected relays only')
}

/** kad-dht takes errors of this name for an answer. */
function asNotFound(error: MainframeError): MainframeError {
  return Object.defineProperty(error, 'name', { value: 'NotFoundError' })
}
