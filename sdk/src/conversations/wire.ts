/** The outermost form of what is published: a kind, a body, and zeros up to a size class. */
import { MainframeError } from '@mainframe/protocol'
import { readerOf, u32 } from './reader.ts'

const WIRE_VERSION = 1
const HEAD_BYTES = 6

/** What can be published in a conversation. */
const WIRE_KINDS = { mls: 1 } as const

/** Size classes are multiples of this, in bytes: what surely fits one packet. */
export const SIZE_UNIT = 1500
/** The largest class, 1 MiB. */
export const MAX_WIRE_BYTES = 1_048_576

/**
 * The size class of so many bytes: 1, 2, 3, 4, 6, 8, 12, 16, … units: up to a half more than are
 * needed. Throws `MESSAGE_TOO_LONG`.
 */
export function sizeClass(length: number): number {
  const units = Math.ceil(length / SIZE_UNIT)
  let step = 1
  while (step * 4 < units) step *= 2
  const size = Math.min(Math.ceil(units / step) * step * SIZE_UNIT, MAX_WIRE_BYTES)
  if (length <= MAX_WIRE_BYTES) return size
  throw new MainframeError(
    'MESSAGE_TOO_LONG',
    `${length} bytes are more than the ${MAX_WIRE_BYTES} (1 MiB) that go at once; send them in parts`,
    { details: { length, limit: MAX_WIRE_BYTES } },
  )
}

/** Puts an MLS message into its size class. Throws `MESSAGE_TOO_LONG`. */
export function encodeWire(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(sizeClass(HEAD_BYTES + body.length))
  out.set([WIRE_VERSION, WIRE_KINDS.mls])
  out.set(u32(body.length), 2)
  out.set(body, HEAD_BYTES)
  return out
}

/** The MLS message; `undefined` for another version, kind, length or padding. */
export function decodeWire(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length > MAX_WIRE_BYTES) return undefined
  const reader = readerOf(bytes)
  const [version, kind] = [reader.u8(), reader.u8()]
  const body = reader.bytes(reader.u32())
  const padding = reader.rest()
  if (version !== WIRE_VERSION || kind !== WIRE_KINDS.mls) return undefined
  return reader.finish(padding.every((byte) => byte === 0) ? body : undefined)
}
