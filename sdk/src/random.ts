/** Randomness: from the platform's generator, or from a seed in tests. */

/** A number from 0 (included) to 1 (excluded), uniform over at least 2^53 values. */
export type Random = () => number

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

export const systemRandom: Random = () => {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
}

/** A copy in random order (Fisher-Yates). */
export function shuffle<T>(items: readonly T[], random: Random): T[] {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [out[i] as T, out[j] as T]
    out[i] = b
    out[j] = a
  }
  return out
}

/** A wait with the given mean whose end nobody can predict from its beginning; at most `maxMs`. */
export function exponential(meanMs: number, maxMs: number, random: Random): number {
  if (meanMs <= 0) return 0
  return Math.min(maxMs, Math.round(-meanMs * Math.log(1 - random())))
}
