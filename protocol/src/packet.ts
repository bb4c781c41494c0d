/** The packet and its header (PROTOCOL.md §1.1). */

import { primitives } from '#primitives'
import { ADDRESS_BYTES, discloseAddress, MAX_LUMINOSITY, NAMED_RELAY } from './address.ts'
import { viewOf } from './bytes.ts'
import { MainframeError } from './errors.ts'

/** Bytes of every packet. */
export const PACKET_BYTES = 2048
/** Version byte of this protocol. */
export const PACKET_VERSION = 1
/** Bytes of the header, which is also the associated data of the seal. */
export const HEADER_BYTES = 39
/** Bytes of a packet identifier. */
export const PACKET_ID_BYTES = 16

/** Expiries are multiples of this, so that they are no tag. */
const EXPIRY_STEP_MINUTES = 5
/** Life of a FORWARD layer before rounding. */
export const FORWARD_LIFE_MINUTES = 25
/** How far ahead a relay accepts the expiry of a FORWARD. */
export const FORWARD_HORIZON_MINUTES = 32
/** How far ahead a relay accepts any other expiry: 14 days and 10 minutes for clocks that differ. */
export const HOLD_HORIZON_MINUTES = 14 * 24 * 60 + 10

/** For how long destinations hold a packet; an inbox packet takes one of these, in minutes. */
export const HOLD_CLASS_MINUTES = { '1h': 60, '1d': 1440, '7d': 10_080, '14d': 20_160 } as const
export type HoldClass = keyof typeof HOLD_CLASS_MINUTES
export const HOLD_CLASSES = Object.keys(HOLD_CLASS_MINUTES) as readonly HoldClass[]

/** The clear part of a packet. */
export interface PacketHeader {
  /** Bits of the address that are disclosed: 0..128, or 256 for a named relay. */
  luminosity: number
  /** 32 bytes; zero past `luminosity` bits. */
  address: Uint8Array
  /** Minutes since the Unix epoch, a multiple of 5. */
  expiryMinutes: number
}

/** Why a packet is refused before anything is looked up or paid. */
export type DecodeRefusal = 'malformed' | 'version' | 'expired' | 'too-far'

export function minutesNow(nowMs: number = Date.now()): number {
  return Math.floor(nowMs / 60_000)
}

/** The next multiple of 5 minutes at or after `minutes`. */
export function roundUpExpiry(minutes: number): number {
  return Math.ceil(minutes / EXPIRY_STEP_MINUTES) * EXPIRY_STEP_MINUTES
}

/** The 39 header bytes. Throws `VALIDATION_FAILED` for values that no relay would accept. */
export function encodeHeader({ luminosity, address, expiryMinutes }: PacketHeader): Uint8Array {
  if (!isLuminosity(luminosity) || address.length !== ADDRESS_BYTES) {
    throw new MainframeError(
      'VALIDATION_FAILED',
      'Luminosity is 0..128 or 256, an address 32 bytes',
    )
  }
  if (!isExpiry(expiryMinutes)) {
    throw new MainframeError('VALIDATION_FAILED', 'An expiry is a multiple of 5 minutes below 2^32')
  }
  const out = new Uint8Array(HEADER_BYTES)
  const view = viewOf(out)
  view.setUint8(0, PACKET_VERSION)
  view.setUint16(1, luminosity)
  out.set(discloseAddress(address, luminosity), 3)
  view.setUint32(35, expiryMinutes)
  return out
}

/** The header of any bytes, or why there is none. Bounded work, never throws. */
export function decodeHeader(packet: Uint8Array): PacketHeader | 'malformed' | 'version' {
  if (packet.length !== PACKET_BYTES) return 'malformed'
  if (packet[0] !== PACKET_VERSION) return 'version'
  return headerOf(packet)
}

/** The header at the start of `bytes`, whatever follows it. */
export function headerOf(bytes: Uint8Array): PacketHeader | 'malformed' {
  if (bytes.length < HEADER_BYTES || bytes[0] !== PACKET_VERSION) return 'malformed'
  const view = viewOf(bytes)
  const luminosity = view.getUint16(1)
  const address = bytes.subarray(3, 3 + ADDRESS_BYTES)
  const expiryMinutes = view.getUint32(35)
  if (!isLuminosity(luminosity) || !isExpiry(expiryMinutes)) return 'malformed'
  if (!isZeroFrom(address, luminosity)) return 'malformed'
  return { luminosity, address, expiryMinutes }
}

/** The header of a packet that a relay may treat now, or the refusal (PROTOCOL.md §2, step 1). */
export function decodePacket(packet: Uint8Array, nowMinutes: number): PacketHeader | DecodeRefusal {
  const header = decodeHeader(packet)
  if (typeof header === 'string') return header
  if (header.expiryMinutes <= nowMinutes) return 'expired'
  const horizon = header.luminosity === NAMED_RELAY ? FORWARD_HORIZON_MINUTES : HOLD_HORIZON_MINUTES
  return header.expiryMinutes > nowMinutes + horizon ? 'too-far' : header
}

/** Identifier of a packet, constant along a leg: 16 bytes of BLAKE2b-256 over all of it. */
export function packetId(packet: Uint8Array): Uint8Array {
  return primitives.blake2b256(packet).subarray(0, PACKET_ID_BYTES)
}

/** A sealed layer filled up to a whole packet with fresh random padding. */
export function padPacket(layer: Uint8Array): Uint8Array {
  if (layer.length > PACKET_BYTES) {
    throw new MainframeError('VALIDATION_FAILED', 'A layer is at most 2048 bytes')
  }
  const packet = new Uint8Array(PACKET_BYTES)
  packet.set(layer)
  primitives.randomFill(packet.subarray(layer.length))
  return packet
}

/** Whether every bit of an address from this one on is zero. */
function isZeroFrom(address: Uint8Array, bit: number): boolean {
  const whole = bit >> 3
  if (bit & 7 && ((address[whole] ?? 0) & (0xff >> (bit & 7))) !== 0) return false
  for (let i = bit & 7 ? whole + 1 : whole; i < ADDRESS_BYTES; i++) {
    if (address[i] !== 0) return false
  }
  return true
}

function isLuminosity(bits: number): boolean {
  return Number.isInteger(bits) && ((bits >= 0 && bits <= MAX_LUMINOSITY) || bits === NAMED_RELAY)
}

function isExpiry(minutes: number): boolean {
  return (
    Number.isInteger(minutes) &&
    minutes > 0 &&
    minutes <= 0xffff_ffff &&
    minutes % EXPIRY_STEP_MINUTES === 0
  )
}
