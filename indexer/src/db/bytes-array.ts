import type { Hex } from '@mainframe/protocol'

/** Oid of bytea in PostgreSQL's catalogue. */
const BYTEA = 17
/** Dimensions, whether there are nulls, the type, then the length and the first index of the one dimension. */
const HEADER_BYTES = 20
const LENGTH_BYTES = 4
const NULL_LENGTH = -1

/**
 * A `bytea[]` as a parameter in PostgreSQL's binary form (array_send of its arrayfuncs.c): five times as
 * fast to write as text, and half as long.
 */
export function bytesArray(values: readonly (Hex | null)[]): Buffer {
  let size = HEADER_BYTES
  for (const value of values) size += LENGTH_BYTES + (value === null ? 0 : bytesOf(value))
  const out = Buffer.allocUnsafe(size)
  let at = 0
  for (const head of [1, values.includes(null) ? 1 : 0, BYTEA, values.length, 1]) {
    at = out.writeInt32BE(head, at)
  }
  for (const value of values) {
    at = out.writeInt32BE(value === null ? NULL_LENGTH : bytesOf(value), at)
    if (value !== null) at += out.write(value.slice(2), at, 'hex')
  }
  return out
}

function bytesOf(value: Hex): number {
  return value.length / 2 - 1
}
