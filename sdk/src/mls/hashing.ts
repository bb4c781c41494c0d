/**
 * Hashes and key derivation for ts-mls. A message takes some twenty derivations of short inputs, for
 * which going through WebCrypto's thread costs several times what the hash does.
 */
import { expand, extract } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import type { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { Hash, Kdf } from 'ts-mls'

export type HashFunction = typeof sha256 | typeof sha512

export function kdfOf(hash: HashFunction): Kdf {
  return {
    extract: async (salt, ikm) => extract(hash, ikm, salt),
    expand: async (prk, info, length) => expand(hash, prk, info, length),
    size: hash.outputLen,
  }
}

export function hashOf(hash: HashFunction): Hash {
  return {
    digest: async (data) => hash(data),
    mac: async (key, data) => hmac(hash, key, data),
    verifyMac: async (key, mac, data) => isSame(hmac(hash, key, data), mac),
  }
}

/** Compares in a time that does not depend on where they differ. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
