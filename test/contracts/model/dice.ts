/** Choices from one number, the same ones each time. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** An integer from 0 to below `bound`, at most 2^32; mulberry32. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let word = this.#state
    word = Math.imul(word ^ (word >>> 15), word | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * bound)
  }

  /** Whether one of `of` chances came true. */
  chance(one: number, of: number): boolean {
    return this.below(of) < one
  }

  pick<T>(list: readonly [T, ...T[]]): T
  pick<T>(list: readonly T[]): T | undefined
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)]
  }

  /** Any amount from zero up to `most`. */
  part(most: bigint): bigint {
    const word = (BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32))
    return (most * word) / (2n ** 64n - 1n)
  }
}
