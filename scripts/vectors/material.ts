/** Fixed material for test vectors: nothing here reads a clock or a random number. */
import { createHash } from 'node:crypto'
import { concatBytes, createKeyPair, type KeyPair } from '@mainframe/protocol'

/** 32 bytes that are the SHA-256 of a label, the same in every run. */
export function fixed(label: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`mainframe vectors: ${label}`).digest())
}

/** The first 20 bytes of {@link fixed}. */
export function fixedAccount(label: string): Uint8Array {
  return fixed(label).slice(0, 20)
}

/** Any number of bytes: SHA-256 of label and a counter, joined. */
export function fixedBytes(label: string, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => fixed(`${label} ${i}`))
  return concatBytes(...blocks).slice(0, length)
}

export function fixedKeyPair(label: string): KeyPair {
  return createKeyPair(fixed(label))
}

/** A packet of 2048 bytes: a layer and padding that is known. */
export function padWith(layer: Uint8Array, label: string): Uint8Array {
  return concatBytes(layer, fixedBytes(label, 2048 - layer.length))
}

/** Long byte strings that end in zeros, short enough to read. */
export function trimZeros(bytes: Uint8Array): { bytes: Uint8Array; length: number } {
  return {
    bytes: bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1),
    length: bytes.length,
  }
}
