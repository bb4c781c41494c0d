/** Frames: everything on a link has one size (PROTOCOL.md §3). */
import { NAMED_RELAY } from './address.ts'
import { readU64, viewOf, writeU64 } from './bytes.ts'
import { MainframeError } from './errors.ts'
import { PACKET_BYTES } from './packet.ts'

/** libp2p protocol of packet links. */
export const LINK_PROTOCOL = '/mainframe/packet/1.0.0'
export const FRAME_HEADER_BYTES = 32
export const FRAME_BYTES = FRAME_HEADER_BYTES + PACKET_BYTES

const TYPES = [
  'hello',
  'credit',
  'packet',
  'ack',
  'subscribe',
  'deliver',
  'bye',
  'release',
] as const
export type FrameType = (typeof TYPES)[number]

/** One frame. What `sequence`, `level` and `flags` mean depends on the type. */
export interface Frame {
  type: FrameType
  flags: number
  /** Spread level of a PACKET, 0..256. */
  level: number
  sequence: number
  /** Units that a PACKET carries. */
  postageUnits: number
  /** 2048 bytes; zeros where a shorter body was given. */
  body: Uint8Array
}

/** What a frame is made of; zero where it is not given. */
export type FrameFields = Partial<Frame> & Pick<Frame, 'type'>

/**
 * The 2080 bytes of a frame; the body may be shorter and is filled up with zeros. Throws
 * `VALIDATION_FAILED` when it is longer.
 */
export function encodeFrame(frame: FrameFields): Uint8Array {
  const out = new Uint8Array(FRAME_BYTES)
  writeFrame(frame, out)
  return out
}

/** As {@link encodeFrame}, over whatever the 2080 bytes held before. */
export function writeFrame(frame: FrameFields, out: Uint8Array): void {
  const { body } = frame
  if (body && body.length > PACKET_BYTES) {
    throw new MainframeError('VALIDATION_FAILED', 'The body of a frame is at most 2048 bytes')
  }
  const view = viewOf(out)
  view.setUint8(0, TYPES.indexOf(frame.type) + 1)
  view.setUint8(1, frame.flags ?? 0)
  view.setUint16(2, frame.level ?? 0)
  view.setUint32(4, 0)
  writeU64(view, 8, frame.sequence ?? 0)
  writeU64(view, 16, frame.postageUnits ?? 0)
  writeU64(view, 24, 0)
  if (body) out.set(body, FRAME_HEADER_BYTES)
  out.fill(0, FRAME_HEADER_BYTES + (body?.length ?? 0))
}

/** The frame in 2080 bytes (its body is a view of them), or `undefined`. Never throws. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length !== FRAME_BYTES) return undefined
  const view = viewOf(bytes)
  const type = TYPES[view.getUint8(0) - 1]
  const level = view.getUint16(2)
  const sequence = readU64(view, 8)
  const postageUnits = readU64(view, 16)
  const reserved = view.getUint32(4) | view.getUint32(24) | view.getUint32(28)
  if (!type || level > NAMED_RELAY || reserved !== 0) return undefined
  if (sequence === undefined || postageUnits === undefined) return undefined
  const body = bytes.subarray(FRAME_HEADER_BYTES)
  return { type, flags: view.getUint8(1), level, sequence, postageUnits, body }
}
