/** Random numbers from a seed, so that a run can be repeated. Not for secrets. */

export interface Random {
  /** A whole number in 0..n-1. */
  below(n: number): number
  fill(bytes: Uint8Array): void
}

/** The generator mulberry32: one 32-bit state, good enough for drawing addresses. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    return scramble(state)
  }
  return {
    below: (n) => Math.floor((next() / 2 ** 32) * n),
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = next() >>> 24
    },
  }
}

/** A number that looks random and depends on these alone. */
export function mix(seed: number, a: number, b: number): number {
  return scramble(scramble(scramble(seed) ^ a) ^ b)
}

function scramble(value: number): number {
  let t = (value + 0x9e3779b9) >>> 0
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return (t ^ (t >>> 14)) >>> 0
}
