/** Addresses of the overlay and their XOR geometry (PROTOCOL.md §1.3, §6). */
import { primitives } from '#primitives'
import { concatBytes } from './bytes.ts'

/** Bytes of an overlay or inbox address. */
export const ADDRESS_BYTES = 32

/** Luminosity that names exactly one relay. */
export const NAMED_RELAY = 256

/** The most bits that an address other than a named relay's may disclose. */
export const MAX_LUMINOSITY = 128

/** Overlay address of a relay: keccak256(nodeId ‖ hash of the block after its registration's). */
export function relayAddress(nodeId: Uint8Array, seedBlockHash: Uint8Array): Uint8Array {
  return primitives.keccak256(concatBytes(nodeId, seedBlockHash))
}

/** Address of an inbox: BLAKE2b-256 of its X25519 public key. */
export function inboxAddress(publicKey: Uint8Array): Uint8Array {
  return primitives.blake2b256(publicKey)
}

/** The address with everything past `bits` zeroed. */
export function discloseAddress(address: Uint8Array, bits: number): Uint8Array {
  const out = new Uint8Array(ADDRESS_BYTES)
  const whole = bits >> 3
  out.set(address.subarray(0, whole))
  if (bits & 7) out[whole] = (address[whole] ?? 0) & (0xff << (8 - (bits & 7)))
  return out
}

/** How many leading bits two addresses share, 0..256. */
export function sharedBits(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < ADDRESS_BYTES; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0)
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24
  }
  return 8 * ADDRESS_BYTES
}

/** Whether `address` starts with the first `bits` bits of `prefix`. */
export function matchesPrefix(address: Uint8Array, prefix: Uint8Array, bits: number): boolean {
  return sharedBits(address, prefix) >= bits
}

/** Negative when `a` is XOR-closer to `target` than `b`, positive when farther, 0 when equal. */
export function compareDistance(target: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < target.length; i++) {
    const t = target[i] ?? 0
    const order = (t ^ (a[i] ?? 0)) - (t ^ (b[i] ?? 0))
    if (order !== 0) return order
  }
  return 0
}
