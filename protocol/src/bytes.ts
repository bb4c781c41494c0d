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

/** Codes of the hex digits in ASCII. */
const DIGITS = utf8('0123456789abcdef')
const INVALID = 0xff
/** Their values by code, of capital letters as well. */
const VALUES = new Uint8Array(128).fill(INVALID)
for (const [value, code] of DIGITS.entries()) {
  VALUES[code] = value
  if (value > 9) VALUES[code - 0x20] = value
}
/** Bytes that are written at once: each of their digits is an argument of a call. */
const BYTES_AT_ONCE = 2_048

export function toHex(bytes: Uint8Array): Hex {
  let out: Hex = '0x'
  for (let start = 0; start < bytes.length; start += BYTES_AT_ONCE) {
    out += digitsOf(bytes, start, Math.min(bytes.length, start + BYTES_AT_ONCE))
  }
  return out
}

/** By the codes of all digits: a string that grows by two of them is put together anew when it is read. */
function digitsOf(bytes: Uint8Array, start: number, end: number): string {
  const codes = new Array<number>(2 * (end - start))
  for (let i = start, at = 0; i < end; i++) {
    const byte = bytes[i] ?? 0
    codes[at++] = DIGITS[byte >> 4] ?? 0
    codes[at++] = DIGITS[byte & 0xf] ?? 0
  }
  return String.fromCharCode(...codes)
}

/** Bytes of a hex string, with an exact length if one is given. Throws `CODEC_INVALID`. */
export function fromHex(hex: string, length = hex.length / 2 - 1): Uint8Array {
  if (!hex.startsWith('0x') || hex.length !== 2 + 2 * length) throw notHex(length)
  const out = new Uint8Array(length)
  let seen = 0
  for (let i = 0, at = 2; i < length; i++, at += 2) {
    const high = VALUES[hex.charCodeAt(at)] ?? INVALID
    const low = VALUES[hex.charCodeAt(at + 1)] ?? INVALID
    seen |= high | low
    out[i] = (high << 4) | low
  }
  if (seen > 0xf) throw notHex(length)
  return out
}

function notHex(length: number): MainframeError {
  const what = Number.isInteger(length) ? `${length} bytes` : 'whole bytes'
  return new MainframeError('CODEC_INVALID', `Not ${what} of 0x-hex`)
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
  const out = new Uint8Array(length)
  let rest = value
  for (let end = length; rest > 0n; end -= 4, rest >>= 32n) {
    let word = Number(BigInt.asUintN(32, rest))
    for (let i = end - 1; i >= 0 && word > 0; i--, word >>>= 8) out[i] = word & 0xff
  }
  return out
}

export function bytesToBigint(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes))
}
