/** Reading fixed binary forms. A read past the end gives zeros and marks the whole as bad. */
import { toHex, viewOf } from '@mainframe/protocol'

export interface Reader {
  u8(): number
  u16(): number
  u32(): number
  u48(): number
  bytes(length: number): Uint8Array
  /** Everything that is left but the last `keep` bytes. */
  rest(keep?: number): Uint8Array
  /** The value, if every read was inside and nothing is left. */
  finish<T>(value: T): T | undefined
}

export function readerOf(bytes: Uint8Array): Reader {
  const view = viewOf(bytes)
  let offset = 0
  let isBad = false
  const take = (length: number) => {
    const start = offset
    if (length < 0 || start + length > bytes.length) {
      isBad = true
      return undefined
    }
    offset += length
    return start
  }
  const number = (length: number, read: (at: number) => number) => {
    const at = take(length)
    return at === undefined ? 0 : read(at)
  }
  const slice = (length: number) => {
    const at = take(length)
    return at === undefined ? new Uint8Array() : bytes.slice(at, at + length)
  }
  return {
    u8: () => number(1, (at) => view.getUint8(at)),
    u16: () => number(2, (at) => view.getUint16(at)),
    u32: () => number(4, (at) => view.getUint32(at)),
    u48: () => number(6, (at) => view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)),
    bytes: slice,
    rest: (keep = 0) => slice(bytes.length - offset - keep),
    finish: (value) => (isBad || offset !== bytes.length ? undefined : value),
  }
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

export function u48(value: number): Uint8Array {
  const high = Math.floor(value / 2 ** 32)
  const out = new Uint8Array(6)
  viewOf(out).setUint16(0, high)
  viewOf(out).setUint32(2, value % 2 ** 32)
  return out
}

/** Hex without a prefix: names of things in maps and keys of stores. */
export function nameOf(bytes: Uint8Array): string {
  return toHex(bytes).slice(2)
}
