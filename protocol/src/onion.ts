/** Building a packet with its FORWARD layers (PROTOCOL.md §1.2). */
import { NAMED_RELAY } from './address.ts'
import { MainframeError } from './errors.ts'
import { type Drop, encodeInstruction, MAX_HOPS, type Message } from './instruction.ts'
import { FORWARD_LIFE_MINUTES, type PacketHeader, padPacket, roundUpExpiry } from './packet.ts'
import { sealLayer } from './seal.ts'

/** A relay that forwards: where it is, its seal key, and what it is told to do. */
export interface Hop {
  address: Uint8Array
  sealKey: Uint8Array
  delayMs: number
  /** Postage that this hop puts on the packet inside. */
  postageUnits: number
}

/** The innermost packet: for an inbox, or cover traffic. */
export interface OnionInput {
  header: PacketHeader
  /** X25519 public key that opens the last leg. */
  publicKey: Uint8Array
  instruction: Message | Drop
  /** First hop first; at most 3. */
  hops: readonly Hop[]
  nowMinutes: number
}

/** A whole packet of 2048 bytes, with as many FORWARD layers as there are hops. */
export function buildOnion({ header, publicKey, instruction, hops, nowMinutes }: OnionInput) {
  if (hops.length > MAX_HOPS) {
    throw new MainframeError('VALIDATION_FAILED', `At most ${MAX_HOPS} hops`)
  }
  const expiryMinutes = roundUpExpiry(nowMinutes + FORWARD_LIFE_MINUTES)
  const innermost = sealLayer({ header, publicKey, content: encodeInstruction(instruction) })
  const outermost = hops.reduceRight(
    (inner, { address, sealKey, delayMs, postageUnits }) =>
      sealLayer({
        header: { luminosity: NAMED_RELAY, address, expiryMinutes },
        publicKey: sealKey,
        content: encodeInstruction({ kind: 'forward', delayMs, postageUnits, inner }),
      }),
    innermost,
  )
  return padPacket(outermost)
}
