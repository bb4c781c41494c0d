/** Packets for the sink, numbered where an encapsulated key would be: the sink opens none. */
import {
  encodeHeader,
  encodeInstruction,
  minutesNow,
  NAMED_RELAY,
  padPacket,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'

/** Where a packet is to go: overlay address and seal key of a relay. */
export interface Stop {
  address: Uint8Array
  sealKey: Uint8Array
}

const NUMBER_OFFSET = 39
/** Header, encapsulated key, sealed length, sealed MESSAGE: a layer that fits a FORWARD. */
const INNER_BYTES = 105 + 1_589
const LIFE_MINUTES = 25

/** A packet that the relay passes on to the sink. */
export function transitPacket(sink: Stop, index: number): Uint8Array {
  return padPacket(numberedLayer(sink, index))
}

/** A packet that the relay opens, and injects what is in it, which is for the sink. */
export function forwardPacket(relay: Stop, sink: Stop, index: number, postageUnits: number) {
  const inner = numberedLayer(sink, index)
  const content = encodeInstruction({ kind: 'forward', delayMs: 0, postageUnits, inner })
  return padPacket(sealLayer({ header: headerFor(relay), publicKey: relay.sealKey, content }))
}

export function indexOf(packet: Uint8Array): number {
  return new DataView(packet.buffer, packet.byteOffset).getUint32(NUMBER_OFFSET)
}

function numberedLayer(sink: Stop, index: number): Uint8Array {
  const layer = crypto.getRandomValues(new Uint8Array(INNER_BYTES))
  layer.set(encodeHeader(headerFor(sink)))
  new DataView(layer.buffer).setUint32(NUMBER_OFFSET, index)
  return layer
}

function headerFor({ address }: Stop) {
  const expiryMinutes = roundUpExpiry(minutesNow() + LIFE_MINUTES)
  return { luminosity: NAMED_RELAY, address, expiryMinutes }
}
