/** HKDF with the labels of HPKE (RFC 9180 §4). */
import { concatBytes, utf8 } from '@mainframe/protocol'
import { expand, extract } from '@noble/hashes/hkdf.js'
import type { HashFunction } from './hashing.ts'

const VERSION = utf8('HPKE-v1')
export const NOTHING = new Uint8Array(0)

export interface LabeledKdf {
  /** LabeledExtract; its parameters in the order of the RFC. */
  extract(salt: Uint8Array, label: string, material: Uint8Array): Uint8Array
  /** LabeledExpand. */
  expand(key: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array
}

/** The functions of one suite, which is named in all that they hash. */
export function labeledKdf(hash: HashFunction, suiteId: Uint8Array): LabeledKdf {
  return {
    extract: (salt, label, material) =>
      extract(hash, concatBytes(VERSION, suiteId, utf8(label), material), salt),
    expand: (key, label, info, length) =>
      expand(hash, key, concatBytes(u16(length), VERSION, suiteId, utf8(label), info), length),
  }
}

/** A suite's id: what it is of, and the numbers of its parts. */
export function suiteIdOf(prefix: string, ...ids: readonly number[]): Uint8Array {
  return concatBytes(utf8(prefix), ...ids.map(u16))
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}
