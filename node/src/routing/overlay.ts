/** The network as one relay sees it: bins and neighbourhood (PROTOCOL.md §6). */
import {
  compareDistance,
  discloseAddress,
  matchesPrefix,
  type PacketHeader,
  type RelayPrices,
  sharedBits,
} from '@mainframe/protocol'

/** What routing needs to know of a registered relay; entries of the directory have it. */
export interface OverlayRelay {
  /** Hex of its node key: who is at the other end of a link. */
  peerKey: string
  address: Uint8Array
  /** As on the price board; a relay without prices cannot be paid. */
  prices: RelayPrices | undefined
}

/** An immutable view, rebuilt when the directory or the luminosity changes. */
export interface OverlayView<R extends OverlayRelay = OverlayRelay> {
  self: Uint8Array
  /** The network's luminosity d. */
  luminosity: number
  /** The lowest d of late: who shares that many bits is linked to (PROTOCOL.md §6). */
  linkLuminosity: number
  /** The other active relays by ascending address, with the leading bits that each shares with us. */
  others: readonly { relay: R; shared: number }[]
  /** Their peer keys. */
  members: ReadonlySet<string>
}

export function createView<R extends OverlayRelay>(
  self: Uint8Array,
  luminosity: number,
  relays: Iterable<R>,
  linkLuminosity = luminosity,
): OverlayView<R> {
  const others = othersOf(self, relays)
  const members = new Set(others.map(({ relay }) => relay.peerKey))
  return { self, luminosity, linkLuminosity, others, members }
}

/** The relays but for the one at `self`, as {@link OverlayView} has them. */
export function othersOf<R extends OverlayRelay>(
  self: Uint8Array,
  relays: Iterable<R>,
): { relay: R; shared: number }[] {
  const others: { relay: R; shared: number }[] = []
  for (const relay of relays) {
    const shared = sharedBits(self, relay.address)
    if (shared < 256) others.push({ relay, shared })
  }
  return others.sort((a, b) => compareBytes(a.relay.address, b.relay.address))
}

/**
 * Where a packet belongs: `here` when this relay is a destination (`alone` when nobody matches and
 * it is merely the closest), else the prefix to travel to.
 */
export type Place = { here: true; alone: boolean } | { here: false; target: Target }

/** The first `bits` bits of an address. */
export interface Target {
  address: Uint8Array
  bits: number
}

export function locate(view: OverlayView, { address, luminosity }: PacketHeader): Place {
  if (matchesPrefix(view.self, address, luminosity)) return { here: true, alone: false }
  if (luminosity === 256 || anyMatches(view, address, luminosity)) {
    return { here: false, target: { address, bits: luminosity } }
  }
  // Nobody has this prefix: the one relay that is closest of all takes it (§2, step 3).
  const closest = closestOf(view, address)
  if (closest === view.self) return { here: true, alone: true }
  return { here: false, target: { address: closest, bits: 256 } }
}

/** Negative when `a` is closer to the target's prefix than `b`, 0 when both are as close. */
export function compareToTarget({ address, bits }: Target, a: Uint8Array, b: Uint8Array): number {
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) {
    const t = address[i] ?? 0
    const order = (t ^ (a[i] ?? 0)) - (t ^ (b[i] ?? 0))
    if (order !== 0) return order
  }
  const rest = bits & 7
  if (rest === 0) return 0
  const mask = (0xff << (8 - rest)) & 0xff
  const t = address[whole] ?? 0
  return ((t ^ (a[whole] ?? 0)) & mask) - ((t ^ (b[whole] ?? 0)) & mask)
}

/** Whether any other relay has these first bits: a search in the sorted addresses. */
function anyMatches(view: OverlayView, address: Uint8Array, bits: number): boolean {
  const lowest = discloseAddress(address, bits)
  let [low, high] = [0, view.others.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const entry = view.others[middle]
    if (entry && compareBytes(entry.relay.address, lowest) < 0) low = middle + 1
    else high = middle
  }
  const first = view.others[low]
  return first !== undefined && matchesPrefix(first.relay.address, address, bits)
}

function closestOf(view: OverlayView, address: Uint8Array): Uint8Array {
  let closest = view.self
  for (const { relay } of view.others) {
    if (compareDistance(address, relay.address, closest) < 0) closest = relay.address
  }
  return closest
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0)
    if (order !== 0) return order
  }
  return 0
}
