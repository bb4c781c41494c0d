/**
 * Fresh addresses of registered relays, from a Kademlia table that the relays of a network keep among
 * themselves (PROTOCOL.md §6). It says where a relay may be dialled, never whom to dial.
 */
import type { Connection, PeerId, Startable } from '@libp2p/interface'
import { type KadDHT, kadDHT } from '@libp2p/kad-dht'
import { MainframeError, toHex } from '@mainframe/protocol'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import { createDhtHost, type DhtHost, type HostComponents, STREAMS_PER_PEER } from './dht-host.ts'
import { PeerRecords, signPeerRecord } from './peer-records.ts'

export interface AddressLookupOptions {
  /** Tables of different networks do not mix. */
  chainId: number
  /** Whether the chain lists a relay with this node key. */
  isPeer(peerKey: string): boolean
  /** From a new connection to when our record is given to it; others that come meanwhile share the errand. */
  publishDelayMs?: number
}

const PUBLISH_DELAY_MS = 5_000
const REPUBLISH_MS = 3_600_000
const QUERY_TIMEOUT_MS = 5_000
/** Searches at a time: whoever comes meanwhile gets what is known already. */
const MOST_SEARCHES = 2
/** Relays that are asked at the same time in one search. */
const ALPHA = 3
const KEY_PREFIX = '/relay/'

export class AddressLookup implements Startable {
  readonly #options: AddressLookupOptions
  readonly #host: HostComponents
  readonly #dht: KadDHT & Startable
  readonly #table: DhtHost
  readonly #records: PeerRecords
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #searches = 0

  constructor(host: HostComponents, options: AddressLookupOptions) {
    const isPeer = ({ publicKey }: PeerId) =>
      publicKey?.type === 'Ed25519' && options.isPeer(toHex(publicKey.raw))
    this.#options = options
    this.#host = host
    this.#records = new PeerRecords(options.isPeer)
    this.#table = createDhtHost(host, isPeer)
    this.#dht = kadDHT({
      protocol: `/mainframe/${options.chainId}/kad/1.0.0`,
      clientMode: false,
      alpha: ALPHA,
      disjointPaths: 1,
      allowQueryWithZeroPeers: true,
      querySelfInterval: REPUBLISH_MS,
      maxInboundStreams: STREAMS_PER_PEER,
      maxOutboundStreams: STREAMS_PER_PEER,
      validators: { relay: (key, value) => this.#validate(key, value), pk: refuse },
      selectors: { relay: (key, values) => this.#records.newestOf(peerOf(key), values) },
      // who is no relay stays out of the table; who is one is named without addresses
      peerInfoMapper: ({ id }) => ({
        id,
        multiaddrs: isPeer(id) ? [multiaddr(`/p2p/${id.toString()}`)] : [],
      }),
    })(this.#table.components) as KadDHT & Startable
  }

  async start(): Promise<void> {
    await this.#dht.start()
    this.#host.events.addEventListener('connection:open', ({ detail }) => this.meet(detail))
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#dht.stop()
  }

  /** A connection that may be to a relay: its end joins the table, and is told where we are. */
  meet(connection: Connection): void {
    if (this.#stop.signal.aborted || !this.#table.onConnect(connection)) return
    this.#publishIn(this.#options.publishDelayMs ?? PUBLISH_DELAY_MS)
  }

  /** Where the relay with this key says that it is; what is known already when nobody knows better. */
  async find(peerKey: string, signal: AbortSignal): Promise<readonly string[]> {
    if (this.#searches < MOST_SEARCHES && this.#options.isPeer(peerKey)) {
      this.#searches += 1
      await this.#ask(this.#dht.get(keyOf(peerKey), { signal: this.#limit(signal) }))
      this.#searches -= 1
    }
    return this.#records.addressesOf(peerKey)
  }

  #publishIn(delayMs: number): void {
    const dueMs = Date.now() + delayMs
    if (dueMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    this.#timer = setTimeout(() => void this.#publish(), delayMs)
    this.#timer.unref()
  }

  async #publish(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#publishIn(REPUBLISH_MS)
    const addresses = this.#host.addressManager
      .getAddresses()
      .map((address) => address.decapsulateCode(CODE_P2P))
    const self = this.#host.privateKey.publicKey
    if (addresses.length === 0 || self.type !== 'Ed25519') return
    const record = await signPeerRecord(this.#host, addresses)
    const options = { signal: this.#limit(this.#stop.signal) }
    await this.#ask(this.#dht.put(keyOf(toHex(self.raw)), record, options))
  }

  /** Lets the table do its errand; the records that it meets are taken down by {@link #validate}. */
  async #ask(events: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const _ of events) if (this.#stop.signal.aborted) return
    } catch {
      // out of time, or nobody knows: what was learnt is learnt
    }
  }

  #limit(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#stop.signal, AbortSignal.timeout(QUERY_TIMEOUT_MS)])
  }

  async #validate(key: Uint8Array, value: Uint8Array): Promise<void> {
    if (!(await this.#records.take(peerOf(key), value))) refuse()
  }
}

function keyOf(peerKey: string): Uint8Array {
  return Uint8Array.from(Buffer.from(KEY_PREFIX + peerKey))
}

/** Of a key that is none of ours, something that is nobody's. */
function peerOf(key: Uint8Array): string {
  return Buffer.from(key).toString().slice(KEY_PREFIX.length)
}

function refuse(): never {
  throw new MainframeError('VALIDATION_FAILED', 'No record of a registered relay')
}
