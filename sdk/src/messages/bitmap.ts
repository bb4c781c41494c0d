/** Sets of fragment indices as bits, the first index in the highest bit of the first byte. */

export function createBitmap(count: number): Uint8Array {
  return new Uint8Array(Math.ceil(count / 8))
}

export function hasBit(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
}

export function setBit(bitmap: Uint8Array, index: number): void {
  bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (0x80 >> (index & 7))
}

/** Whether every index below `count` is in it. */
export function isFull(bitmap: Uint8Array, count: number): boolean {
  for (let index = 0; index < count; index++) if (!hasBit(bitmap, index)) return false
  return true
}
