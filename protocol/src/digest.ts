import { primitives } from '#primitives'
import { concatBytes } from './bytes.ts'

/** BLAKE2b-256 of the parts one after the other. */
export function digest(...parts: readonly Uint8Array[]): Uint8Array {
  return primitives.blake2b256(concatBytes(...parts))
}
