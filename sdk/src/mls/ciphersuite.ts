/**
 * What ts-mls computes with, in the two suites that clients have. Its own provider brings whatever any
 * of its nineteen suites needs, and a page would have to fetch all of that.
 */

import { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { CiphersuiteImpl } from 'ts-mls'
import { signing } from '#platform'
import { randomBytes } from '../random.ts'
import { hashOf, kdfOf } from './hashing.ts'
import { createHpke } from './hpke.ts'
import { dhKem, xWingKem } from './kems.ts'

/**
 * Ciphersuites that can be chosen: `xwing` is X25519 with ML-KEM-768, so that what is recorded today
 * stays closed to a quantum computer; `x25519` is suite 3 of RFC 9420, smaller and quicker.
 */
export const SUITES = {
  xwing: 'MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519',
  x25519: 'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519',
} as const

export type SuiteName = keyof typeof SUITES

/** `kdfId`: RFC 9180 §7.2. */
const PARTS = {
  xwing: { kem: xWingKem, hash: sha512, kdfId: 0x0003 },
  x25519: { kem: dhKem, hash: sha256, kdfId: 0x0001 },
} as const

export function openCiphersuite(suite: SuiteName): CiphersuiteImpl {
  const { kem, hash, kdfId } = PARTS[suite]
  return {
    name: SUITES[suite],
    hash: hashOf(hash),
    kdf: kdfOf(hash),
    hpke: createHpke(kem, { hash, kdfId }),
    signature: signing,
    rng: { randomBytes },
  }
}
