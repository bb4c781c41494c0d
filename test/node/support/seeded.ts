/** Chance that can be had again: everything from one number. */
import {
  createKeyPair,
  encodeInstruction,
  type Forward,
  type Instruction,
  type KeyPair,
  PACKET_BYTES,
  type PacketHeader,
  sealLayer,
} from '@mainframe/protocol'

export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A number in 0..n-1. */
  below = (n: number): number => Math.floor((this.#next() / 2 ** 32) * n)

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() >>> 24)
  }

  /** One of some things. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  keyPair(): KeyPair {
    return createKeyPair(this.bytes(32))
  }

  /** A sequence of its own, that does not depend on what is drawn from this one later. */
  fork(): Seeded {
    return new Seeded(this.#next())
  }

  /** A layer filled up to a packet. */
  pad = (layer: Uint8Array): Uint8Array => {
    const packet = new Uint8Array(PACKET_BYTES)
    packet.set(layer)
    packet.set(this.bytes(PACKET_BYTES - layer.length), layer.length)
    return packet
  }

  layer(header: PacketHeader, publicKey: Uint8Array, instruction: Instruction): Uint8Array {
    return this.sealed(header, publicKey, encodeInstruction(instruction))
  }

  /** A layer around any content of a permitted size. */
  sealed(header: PacketHeader, publicKey: Uint8Array, content: Uint8Array): Uint8Array {
    return sealLayer({ header, publicKey, content, ephemeralSecret: this.bytes(32) })
  }

  forward(inner: Uint8Array, fields: Partial<Forward>): Forward {
    return { kind: 'forward', delayMs: 0, postageUnits: 1, inner, ...fields }
  }

  /** mulberry32 */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}
