/** The one luminosity of the network (PROTOCOL.md §1.4). */
import { discloseAddress } from './address.ts'
import { toHex } from './bytes.ts'

/** Relays that share a prefix on average: this many to twice as many. */
const RELAYS_PER_PREFIX = 48
/** Users that share a prefix on average: at least this many. */
const USERS_PER_PREFIX = 32

/** Bits that clients disclose: `max(0, floor(log2(min(N/48, U/32))))`, in whole numbers. */
export function networkLuminosity(activeRelays: number, users: number): number {
  const groups = Math.min(
    Math.floor(activeRelays / RELAYS_PER_PREFIX),
    Math.floor(users / USERS_PER_PREFIX),
  )
  return 31 - Math.clz32(Math.max(1, groups))
}

/** The most relays that share one prefix of `bits` bits. */
export function mostPerPrefix(addresses: readonly Uint8Array[], bits: number): number {
  const counts = new Map<string, number>()
  for (const address of addresses) {
    const prefix = toHex(discloseAddress(address, bits))
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}
