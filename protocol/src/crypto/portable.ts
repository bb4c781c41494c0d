/**
 * The primitives from the noble libraries, for browsers and wherever libsodium is not at hand; what
 * Ethereum has of its own from ethers, so that a page need not fetch secp256k1 twice.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { randomBytes } from '@noble/hashes/utils.js'
import { getBytes, hexlify, keccak256, SigningKey } from 'ethers'
import { bytesToBigint, concatBytes } from '../bytes.ts'
import type { AeadInput, Primitives } from './primitives.ts'

const SHA256_BLOCK_BYTES = 64
const fresh = sha256.create()
const hash = sha256.create()
const pad = new Uint8Array(SHA256_BLOCK_BYTES)

/**
 * RFC 2104 §2 over noble's SHA-256 as `native.ts` has it over libsodium's: HPKE takes five of them for
 * each packet, and noble's own makes four objects a time, which cost as much as the hashing.
 */
function hmacSha256(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
  const fitting = key.length > SHA256_BLOCK_BYTES ? sha256(key) : key
  const out = hashBehind(0x5c, fitting, [hashBehind(0x36, fitting, data)])
  pad.fill(0)
  return out
}

/** SHA-256 of the key, filled up and combined with a byte, and these parts. */
function hashBehind(byte: number, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  pad.fill(byte)
  for (let i = 0; i < key.length; i++) pad[i] = byte ^ (key[i] ?? 0)
  fresh._cloneInto(hash)
  hash.update(pad)
  for (const part of parts) hash.update(part)
  const out = new Uint8Array(hash.outputLen)
  hash.digestInto(out)
  return out
}

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
  hmacSha256,
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
