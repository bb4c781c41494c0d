import type { Hex, HoldClass, Message, PacketRefusal } from '@mainframe/protocol'

/** One MESSAGE that wants to be packed and sent: a fragment, or an acknowledgement. */
export interface Parcel {
  /** Inbox public key. */
  to: Uint8Array
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

/** Where parcels come from. */
export interface ParcelSource {
  /** The next one; `undefined` when nothing waits. */
  next(): Parcel | undefined
}
