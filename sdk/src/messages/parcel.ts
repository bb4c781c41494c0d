import type { Hex, HoldClass, Message, PacketRefusal } from '@mainframe/protocol'

/** One MESSAGE that wants to be packed and sent: a fragment, or an acknowledgement. */
export interface Parcel {
  /** Inbox public key. */
  to: Uint8Array
  /** Address of the inbox, where that is not the hash of its key: that of a group. */
  address?: Uint8Array | undefined
  message: Message
  holdClass: HoldClass
  hops: number
  /** Mean of the exponential delay at each hop. */
  delayMs: number
  /** Factor on the weight of a relay in the choice of hops. */
  bias(nodeId: Hex): number
  /** It is with the link, on its way over these hops. */
  shipped(path: readonly Hex[]): void
  /** The entry relay took it. */
  accepted(): void
  /** The entry relay did not take it, or it could not be packed. */
  refused(reason: ParcelRefusal): void
  /** The link ended before the entry relay answered, or there was no room. */
  returned(): void
}

/** Relays of a lost packet are taken again only where there are hardly any others. */
const AVOIDED = 0.02

/** A bias against the relays of earlier attempts. */
export function avoiding(path: Iterable<Hex>): Parcel['bias'] {
  const relays = new Set(path)
  return (nodeId) => (relays.has(nodeId) ? AVOIDED : 1)
}

/** Refusals of the entry relay, too few relays for a path, or a recipient's key that cannot be used. */
export type ParcelRefusal = PacketRefusal | 'no-path' | 'bad-key'

/** Refusals that no later attempt can turn into an acceptance. */
export const HOPELESS: Partial<Record<ParcelRefusal, string>> = {
  malformed: 'The entry relay cannot read our packets: update this software',
  version: 'The entry relay speaks another version: update this software',
  expired: "The entry relay finds our packets expired: check this machine's clock",
  'too-far': "The entry relay finds our packets too far ahead: check this machine's clock",
  'bad-key': 'The contact code holds a key that cannot be used: ask for another one',
}

/** Where parcels come from. */
export interface ParcelSource {
  /** The next one; `undefined` when nothing waits. */
  next(): Parcel | undefined
}
