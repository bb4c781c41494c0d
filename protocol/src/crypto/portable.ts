/** The primitives from the noble libraries, for browsers and wherever libsodium is not at hand. */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { randomBytes } from '@noble/hashes/utils.js'
import type { AeadInput, Primitives } from './primitives.ts'

function aeadOpen({ key, nonce, aad, text }: AeadInput): Uint8Array | undefined {
  try {
    return chacha20poly1305(key, nonce, aad).decrypt(text)
  } catch {
    return undefined
  }
}

function sharedSecret(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(secretKey, publicKey)
  } catch {
    return undefined // noble refuses low-order points; a peer may send one at will
  }
}

function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false })
  } catch {
    return false
  }
}

export const primitives: Primitives = {
  x25519: sharedSecret,
  x25519PublicKey: (secretKey) => x25519.getPublicKey(secretKey),
  sha256,
  hmacSha256: (key, data) => hmac(sha256, key, data),
  blake2b256: (data) => blake2b(data, { dkLen: 32 }),
  aeadSeal: ({ key, nonce, aad, text }) => chacha20poly1305(key, nonce, aad).encrypt(text),
  aeadOpen,
  ed25519PublicKey: (seed) => ed25519.getPublicKey(seed),
  ed25519Sign: (seed, message) => ed25519.sign(message, seed),
  ed25519Verify: verify,
  randomBytes,
}
