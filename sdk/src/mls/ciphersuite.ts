/**
 * What ts-mls computes with, in the two suites that clients have. Its own provider brings whatever any
 * of its nineteen suites needs, and a page would have to fetch all of that.
 */
import {
  AeadId,
  type AeadInterface,
  CipherSuite,
  DhkemX25519HkdfSha256,
  HkdfSha256,
  HkdfSha512,
} from '@hpke/core'
import { aeadOpen, aeadSeal, MainframeError } from '@mainframe/protocol'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { CiphersuiteImpl } from 'ts-mls'
import { makeGenericHpke } from 'ts-mls/crypto/implementation/hpke.js'
import { randomBytes } from '../random.ts'
import { bufferOf, bytesOf } from './buffers.ts'
import { hashOf, kdfOf } from './hashing.ts'
import { ed25519 } from './signing.ts'
import { xWing } from './xwing.ts'

/**
 * Ciphersuites that can be chosen: `xwing` is X25519 with ML-KEM-768, so that what is recorded today
 * stays closed to a quantum computer; `x25519` is suite 3 of RFC 9420, smaller and quicker.
 */
export const SUITES = {
  xwing: 'MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519',
  x25519: 'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519',
} as const

export type SuiteName = keyof typeof SUITES

/** The same for ts-mls, which asks whether there are keys of P-521. */
const HPKE = {
  xwing: { kem: 'X-Wing', kdf: 'HKDF-SHA512', aead: 'CHACHA20POLY1305' },
  x25519: { kem: 'DHKEM-X25519-HKDF-SHA256', kdf: 'HKDF-SHA256', aead: 'CHACHA20POLY1305' },
} as const

export async function openCiphersuite(suite: SuiteName): Promise<CiphersuiteImpl> {
  const name = SUITES[suite]
  const hash = suite === 'xwing' ? sha512 : sha256
  const kem = suite === 'xwing' ? xWing : new DhkemX25519HkdfSha256()
  const kdf = suite === 'xwing' ? new HkdfSha512() : new HkdfSha256()
  const hpke = new CipherSuite({ kem, kdf, aead })
  return {
    name,
    hash: hashOf(hash),
    kdf: kdfOf(hash),
    hpke: await makeGenericHpke(HPKE[suite], { encrypt, decrypt }, hpke),
    signature: ed25519,
    rng: { randomBytes },
  }
}

/** ChaCha20-Poly1305 as packets have it, for HPKE. */
const aead: AeadInterface = {
  id: AeadId.Chacha20Poly1305,
  keySize: 32,
  nonceSize: 12,
  tagSize: 16,
  createEncryptionContext: (key) => ({
    seal: async (nonce, text, aad) =>
      bufferOf(await encrypt(bytesOf(key), bytesOf(nonce), bytesOf(aad), bytesOf(text))),
    open: async (nonce, text, aad) =>
      bufferOf(await decrypt(bytesOf(key), bytesOf(nonce), bytesOf(aad), bytesOf(text))),
  }),
}

type Bytes = Uint8Array

/** The order of parameters is that of ts-mls. */
async function encrypt(key: Bytes, nonce: Bytes, aad: Bytes, text: Bytes): Promise<Bytes> {
  return aeadSeal({ key, nonce, aad, text })
}

async function decrypt(key: Bytes, nonce: Bytes, aad: Bytes, text: Bytes): Promise<Bytes> {
  const opened = aeadOpen({ key, nonce, aad, text })
  if (opened) return opened
  throw new MainframeError('CODEC_INVALID', 'The tag of a ciphertext does not fit')
}
