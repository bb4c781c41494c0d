/** fast-check arbitraries of the protocol's values. */
import fc from 'fast-check'

export const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

export const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength })

/** Many bytes from one number, so that a failure prints and shrinks as that number. */
export const noise = (length: number) => fc.nat(0xffff_ffff).map((seed) => noiseOf(seed, length))

/** Pseudo-random bytes (xorshift32), the same for the same seed. */
export function noiseOf(seed: number, length: number): Uint8Array {
  let state = seed | 1
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 0xff
  })
}

/** Units of postage, small and up to the last safe integer. */
export const units = (min = 0) =>
  fc.oneof(
    fc.integer({ min, max: 1000 }),
    fc.integer({ min, max: 2 ** 31 - 1 }),
    fc.maxSafeNat().map((n) => Math.max(min, n)),
  )

/** Luminosities that a header may carry. */
export const luminosity = fc.oneof(fc.integer({ min: 0, max: 128 }), fc.constant(256))

/** Expiries that a header may carry, in minutes. */
export const expiry = fc.integer({ min: 1, max: Math.floor(0xffff_ffff / 5) }).map((n) => 5 * n)

/** Flips one bit of `bytes`, chosen by two numbers. */
export function flipBit(bytes: Uint8Array, position: number, bit: number): Uint8Array {
  const out = bytes.slice()
  const at = position % out.length
  out[at] = (out[at] ?? 0) ^ (1 << (bit & 7))
  return out
}
