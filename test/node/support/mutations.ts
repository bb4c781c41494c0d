/** Bytes that are nearly right: valid ones changed field by field. */
import type { Seeded } from './seeded.ts'

/** Offset and length of a field. */
export type Field = readonly [offset: number, length: number]

export const PACKET_FIELDS: readonly Field[] = [
  [0, 1],
  [1, 2],
  [3, 32],
  [35, 4],
  [39, 32],
  [71, 18],
  [89, 1],
  [90, 1_500],
  [1_694, 354],
]
export const FRAME_FIELDS: readonly Field[] = [
  [0, 1],
  [1, 1],
  [2, 2],
  [4, 4],
  [8, 8],
  [16, 8],
  [24, 8],
]
export const CONTENT_FIELDS: readonly Field[] = [
  [0, 1],
  [1, 4],
  [1, 16],
  [5, 8],
  [13, 3],
  [16, 32],
  [17, 2],
  [19, 2],
  [21, 2],
]
export const BODY_FIELDS = {
  hello: [
    [0, 2],
    [2, 8],
    [10, 1],
    [11, 20],
    [31, 206],
  ],
  credit: [
    [0, 20],
    [20, 20],
    [40, 20],
    [60, 4],
    [64, 4],
    [68, 16],
    [84, 64],
  ],
  ack: [
    [0, 8],
    [8, 8],
    [16, 8],
    [24, 8],
    [32, 1],
    [33, 2],
    [35, 8],
    [43, 1],
  ],
  subscribe: [
    [0, 2],
    [2, 8],
    [10, 32],
  ],
  release: [
    [0, 1],
    [1, 4],
    [1, 16],
    [17, 64],
  ],
  quote: [
    [0, 32],
    [72, 8],
    [80, 8],
    [88, 16],
    [104, 4],
    [108, 8],
    [116, 2],
    [118, 16],
    [134, 8],
    [142, 64],
  ],
} as const satisfies Record<string, readonly Field[]>

/** A copy with one to three fields changed; one in twelve is cut short or grown as well. */
export function mutated(random: Seeded, bytes: Uint8Array, fields: readonly Field[]): Uint8Array {
  const out = bytes.slice()
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const [offset, length] = random.pick(fields)
    changeField(random, out.subarray(offset, offset + length))
  }
  return random.below(12) === 0 ? resized(random, out) : out
}

/** Cut short, or with something behind. */
export function resized(random: Seeded, bytes: Uint8Array): Uint8Array {
  if (random.below(2) === 0) return bytes.slice(0, random.below(bytes.length + 1))
  const out = new Uint8Array(bytes.length + 1 + random.below(64))
  out.set(bytes)
  return out
}

/** In place: a bit, zeros, all ones, one more or less, a power of two, a small number, noise. */
function changeField(random: Seeded, field: Uint8Array): void {
  if (field.length === 0) return
  const last = field.length - 1
  switch (random.below(8)) {
    case 0:
    case 1: {
      const at = random.below(field.length)
      field[at] = (field[at] ?? 0) ^ (1 << random.below(8))
      return
    }
    case 2:
      field.fill(0)
      return
    case 3:
      field.fill(0xff)
      return
    case 4:
      add(field, random.below(2) === 0 ? 1 : -1)
      return
    case 5:
      field.fill(0)
      field[random.below(field.length)] = 1 << random.below(8)
      return
    case 6:
      field.fill(0)
      field[last] = random.below(256)
      return
    default:
      field.set(random.bytes(field.length))
  }
}

/** Adds 1 or -1 to a big-endian number, around its ends. */
function add(field: Uint8Array, one: 1 | -1): void {
  for (let i = field.length - 1; i >= 0; i--) {
    const sum = (field[i] ?? 0) + one
    field[i] = sum & 0xff
    if (sum >= 0 && sum <= 0xff) return
  }
}
