import { MainframeError } from './errors.ts'

/** A `0x`-prefixed hexadecimal string. */
export type Hex = `0x${string}`

const textEncoder = new TextEncoder()

export function utf8(text: string): Uint8Array {
  return textEncoder.encode(text)
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** The same bytes, if they are `length` many. Throws `CODEC_INVALID`: a short field would shift the rest. */
export function exactBytes(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes
  throw new MainframeError('CODEC_INVALID', `A field of ${length} bytes was given ${bytes.length}`)
}

/** Equality of public bytes; not constant-time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

export function toHex(bytes: Uint8Array): Hex {
  let out = '0x'
  for (const byte of bytes) out += HEX[byte]
  return out as Hex
}

/** Bytes of a hex string, with an exact length if one is given. Throws `CODEC_INVALID`. */
export function fromHex(hex: string, length?: number): Uint8Array {
  const valid = /^0x(?:[0-9a-fA-F]{2})*$/.test(hex)
  if (!valid || (length !== undefined && hex.length !== 2 + 2 * length)) {
    throw new MainframeError('CODEC_INVALID', `Not ${length ?? 'whole'} bytes of 0x-hex`)
  }
  const out = new Uint8Array(hex.length / 2 - 1)
  for (let i = 0; i < out.length; i++) {
    out[i] = (digitOf(hex.charCodeAt(2 + 2 * i)) << 4) | digitOf(hex.charCodeAt(3 + 2 * i))
  }
  return out
}

/** Of a character that is one of 0-9, A-F and a-f: letters have bit 6 set, and count from 10. */
function digitOf(code: number): number {
  return (code & 15) + (code >> 6) * 9
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Writes a safe integer as u64, big-endian. */
export function writeU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 0x1_0000_0000))
  view.setUint32(offset + 4, value % 0x1_0000_0000)
}

/** Reads a u64, big-endian; `undefined` when it is 2^53 or more. */
export function readU64(view: DataView, offset: number): number | undefined {
  const high = view.getUint32(offset)
  return high < 0x20_0000 ? high * 0x1_0000_0000 + view.getUint32(offset + 4) : undefined
}

/** Big-endian bytes of an unsigned bigint. Throws `CODEC_INVALID` when it does not fit. */
export function bigintToBytes(value: bigint, length: number): Uint8Array {
  if (value < 0n || value >= 1n << BigInt(8 * length)) {
    throw new MainframeError('CODEC_INVALID', `The number does not fit ${length} bytes`)
  }
  return fromHex(`0x${value.toString(16).padStart(2 * length, '0')}`)
}

export function bytesToBigint(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes))
}
