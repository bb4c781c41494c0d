/** Addresses that relays sign themselves: libp2p's signed peer records of registered relays (PROTOCOL.md §6). */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { equalBytes, toHex } from '@mainframe/protocol'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Addresses of a relay beside its registered ones. */
const MOST_RECORD_ADDRESSES = 8
/** A record with so many addresses of the usual forms has some 600 bytes. */
const MOST_RECORD_BYTES = 2_048

interface OpenedRecord {
  peerKey: string
  /** The later of two records of one relay has the larger one. */
  sequence: bigint
  addresses: string[]
  bytes: Uint8Array
}

/** The record of our own addresses, at most {@link MOST_RECORD_ADDRESSES} of them. */
export async function signPeerRecord(
  self: { peerId: PeerId; privateKey: PrivateKey },
  addresses: readonly Multiaddr[],
): Promise<Uint8Array> {
  const multiaddrs = addresses.slice(0, MOST_RECORD_ADDRESSES)
  const record = new PeerRecord({ peerId: self.peerId, multiaddrs })
  return (await RecordEnvelope.seal(record, self.privateKey)).marshal()
}

/** The newest record of each relay. Bounded by the relays ever registered: each of them costs a stake. */
export class PeerRecords {
  readonly #isPeer: (peerKey: string) => boolean
  readonly #newest = new Map<string, OpenedRecord>()

  constructor(isPeer: (peerKey: string) => boolean) {
    this.#isPeer = isPeer
  }

  /** What the relay signed last, as far as this one has heard. */
  addressesOf(peerKey: string): readonly string[] {
    return (this.#isPeer(peerKey) && this.#newest.get(peerKey)?.addresses) || []
  }

  /** Index of the record that is known to be this relay's newest; 0 if none of them is. */
  newestOf(peerKey: string, records: readonly Uint8Array[]): number {
    const known = this.#newest.get(peerKey)
    const isNewest = (bytes: Uint8Array) => known !== undefined && equalBytes(known.bytes, bytes)
    return Math.max(0, records.findIndex(isNewest))
  }

  /** Whether the bytes are this registered relay's record, and none older than what is known. */
  async take(peerKey: string, bytes: Uint8Array): Promise<boolean> {
    if (!this.#isPeer(peerKey) || bytes.length > MOST_RECORD_BYTES) return false
    const record = await open(bytes)
    if (record?.peerKey !== peerKey) return false
    const known = this.#newest.get(peerKey)
    if (known && known.sequence > record.sequence) return false
    this.#newest.set(peerKey, record)
    return true
  }
}

async function open(bytes: Uint8Array): Promise<OpenedRecord | undefined> {
  try {
    const envelope = await RecordEnvelope.openAndCertify(bytes, PeerRecord.DOMAIN)
    const { peerId, multiaddrs, seqNumber } = PeerRecord.createFromProtobuf(envelope.payload)
    if (envelope.publicKey.type !== 'Ed25519') return undefined
    if (!peerId.publicKey?.equals(envelope.publicKey)) return undefined
    if (multiaddrs.length > MOST_RECORD_ADDRESSES) return undefined
    return {
      peerKey: toHex(envelope.publicKey.raw),
      sequence: seqNumber,
      addresses: multiaddrs.map((address) => address.toString()),
      bytes,
    }
  } catch {
    return undefined
  }
}
