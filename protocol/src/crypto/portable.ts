/**
 * The primitives from the noble libraries, for browsers and wherever libsodium is not at hand; what
 * Ethereum has of its own from ethers, so that a page need not fetch secp256k1 twice.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { randomBytes } from '@noble/hashes/utils.js'
import { getBytes, hexlify, keccak256, SigningKey } from 'ethers'
import { bytesToBigint, concatBytes } from '../bytes.ts'
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

/**
 * RFC 8032 §5.1.7 as libsodium does it: neither A nor R of small order, and SB = R + kA itself. noble
 * checks eight times this equation, so a key or signature with a part of small order would be valid
 * here and not there, and clients would disagree on who is a relay.
 */
function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false
  try {
    const { Point } = ed25519
    const encodedR = signature.subarray(0, 32)
    const A = Point.fromBytes(publicKey)
    const R = Point.fromBytes(encodedR)
    if (A.isSmallOrder() || R.isSmallOrder()) return false
    const k = Point.Fn.create(littleEndian(sha512(concatBytes(encodedR, publicKey, message))))
    const S = littleEndian(signature.subarray(32)) // past the group's order the next line throws
    return Point.BASE.multiplyUnsafe(S).equals(R.add(A.multiplyUnsafe(k)))
  } catch {
    return false
  }
}

const littleEndian = (bytes: Uint8Array) => bytesToBigint(bytes.toReversed())

function recover(digest: Uint8Array, signature: Uint8Array, recovery: 0 | 1) {
  try {
    const [r, s] = [hexlify(signature.subarray(0, 32)), hexlify(signature.subarray(32))]
    return getBytes(SigningKey.recoverPublicKey(digest, { r, s, yParity: recovery }))
  } catch {
    return undefined // a peer may send any signature
  }
}

function signRecoverably(digest: Uint8Array, secretKey: Uint8Array) {
  const { r, s, yParity } = new SigningKey(secretKey).sign(digest)
  return { signature: concatBytes(getBytes(r), getBytes(s)), recovery: yParity }
}

export const primitives: Primitives = {
  x25519: sharedSecret,
  x25519PublicKey: (secretKey) => x25519.getPublicKey(secretKey),
  sha256,
  hmacSha256: (key, ...data) => hmac(sha256, key, concatBytes(...data)),
  blake2b256: (data) => blake2b(data, { dkLen: 32 }),
  keccak256: (data) => getBytes(keccak256(data)),
  aeadSeal: ({ key, nonce, aad, text }) => chacha20poly1305(key, nonce, aad).encrypt(text),
  aeadOpen,
  ed25519PublicKey: (seed) => ed25519.getPublicKey(seed),
  ed25519Sign: (seed, message) => ed25519.sign(message, seed),
  ed25519Verify: verify,
  secp256k1PublicKey: (secretKey) => getBytes(SigningKey.computePublicKey(secretKey, false)),
  secp256k1Sign: signRecoverably,
  secp256k1Recover: recover,
  randomBytes,
  randomFill: (target) => target.set(randomBytes(target.length)),
}
