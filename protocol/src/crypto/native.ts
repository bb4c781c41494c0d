/** The primitives for Node: from libsodium, ECDSA from libsecp256k1, Keccak from WebAssembly. */
import { createKeccak } from 'hash-wasm'
import secp256k1 from 'secp256k1'
import sodium from 'sodium-native'
import { MainframeError } from '../errors.ts'
import type { AeadInput, Primitives } from './primitives.ts'
import { TAG_BYTES } from './primitives.ts'

/** Missing from the published types; the signatures are those of the XChaCha20 variants. */
declare module 'sodium-native' {
  export const crypto_aead_chacha20poly1305_ietf_encrypt: typeof sodium.crypto_aead_xchacha20poly1305_ietf_encrypt
  export const crypto_aead_chacha20poly1305_ietf_decrypt: typeof sodium.crypto_aead_xchacha20poly1305_ietf_decrypt
}

const SHA256_BLOCK_BYTES = 64
const HASH_BYTES = 32

/**
 * HMAC's two inputs (RFC 2104 §2), reused by every call: allocating them cost more than hashing. The
 * inner one has room for what HPKE authenticates; longer data gets an input of its own.
 */
const innerInput = new Uint8Array(SHA256_BLOCK_BYTES + 192)
const outerInput = new Uint8Array(SHA256_BLOCK_BYTES + HASH_BYTES)
const innerHash = outerInput.subarray(SHA256_BLOCK_BYTES)

function sha256(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_BYTES)
  sodium.crypto_hash_sha256(asBuffer(out), asBuffer(data))
  return out
}

/** libsodium's own HMAC-SHA256 is not exported by sodium-native, so RFC 2104 §2 over its hash. */
function hmacSha256(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
  let length = SHA256_BLOCK_BYTES
  for (const part of data) length += part.length
  const inner = length <= innerInput.length ? innerInput : new Uint8Array(length)
  writePads(key.length > SHA256_BLOCK_BYTES ? sha256(key) : key, inner)
  let offset = SHA256_BLOCK_BYTES
  for (const part of data) {
    inner.set(part, offset)
    offset += part.length
  }
  sodium.crypto_hash_sha256(asBuffer(innerHash), asBuffer(inner.subarray(0, length)))
  return sha256(outerInput)
}

function writePads(key: Uint8Array, inner: Uint8Array): void {
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] ?? 0
    inner[i] = byte ^ 0x36
    outerInput[i] = byte ^ 0x5c
  }
  inner.fill(0x36, key.length, SHA256_BLOCK_BYTES)
  outerInput.fill(0x5c, key.length, SHA256_BLOCK_BYTES)
}

function x25519(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(32)
  const isSafe = succeeds(() =>
    sodium.crypto_scalarmult(asBuffer(out), asBuffer(secretKey), asBuffer(publicKey)),
  )
  return isSafe ? out : undefined // libsodium refuses low-order points; a peer may send one at will
}

function x25519PublicKey(secretKey: Uint8Array): Uint8Array {
  const out = new Uint8Array(32)
  sodium.crypto_scalarmult_base(asBuffer(out), asBuffer(secretKey))
  return out
}

function blake2b256(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(32)
  sodium.crypto_generichash(asBuffer(out), asBuffer(data))
  return out
}

/** libsodium has none; WebAssembly takes a tenth of the time of JavaScript. */
const keccak = await createKeccak(256)

function keccak256(data: Uint8Array): Uint8Array {
  return keccak.init().update(data).digest('binary')
}

function aeadSeal({ key, nonce, aad, text }: AeadInput): Uint8Array {
  const out = new Uint8Array(text.length + TAG_BYTES)
  sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
    asBuffer(out),
    asBuffer(text),
    asBuffer(aad),
    null,
    asBuffer(nonce),
    asBuffer(key),
  )
  return out
}

function aeadOpen({ key, nonce, aad, text }: AeadInput): Uint8Array | undefined {
  if (text.length < TAG_BYTES) return undefined
  const out = new Uint8Array(text.length - TAG_BYTES)
  const isIntact = succeeds(() =>
    sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
      asBuffer(out),
      null,
      asBuffer(text),
      asBuffer(aad),
      asBuffer(nonce),
      asBuffer(key),
    ),
  )
  return isIntact ? out : undefined
}

/**
 * Whether a call of sodium-native did not throw. A packet that is not for us is the common case, and
 * taking a stack trace for each would cost more than the AEAD.
 */
function succeeds(call: () => void): boolean {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    call()
    return true
  } catch {
    return false
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function ed25519KeyPair(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } {
  const publicKey = new Uint8Array(32)
  const secretKey = new Uint8Array(64)
  sodium.crypto_sign_seed_keypair(asBuffer(publicKey), asBuffer(secretKey), asBuffer(seed))
  return { publicKey, secretKey }
}

function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const out = new Uint8Array(64)
  const { secretKey } = ed25519KeyPair(seed)
  sodium.crypto_sign_detached(asBuffer(out), asBuffer(message), asBuffer(secretKey))
  return out
}

function ed25519Verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) return false
  return sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(message), asBuffer(key))
}

function secp256k1Sign(digest: Uint8Array, secretKey: Uint8Array) {
  const { signature, recid } = secp256k1.ecdsaSign(digest, secretKey)
  return { signature, recovery: recid }
}

function secp256k1Recover(digest: Uint8Array, signature: Uint8Array, recovery: 0 | 1) {
  try {
    return secp256k1.ecdsaRecover(signature, recovery, digest, false)
  } catch {
    return undefined // a peer may send any signature
  }
}

function randomBytes(length: number): Uint8Array {
  const out = new Uint8Array(length)
  sodium.randombytes_buf(asBuffer(out))
  return out
}

/** Padding is cut from this; the kernel is asked for a seed once for all of it. */
const padding = new Uint8Array(64 * 1024)
let paddingUsed = padding.length

/**
 * A call of the kernel for the padding of each packet would cost as much as a tenth of opening it.
 * libsodium's expansion of a seed (ChaCha20) is as unpredictable, and nobody can ask for a byte twice.
 */
function randomFill(target: Uint8Array): void {
  if (target.length > padding.length) {
    throw new MainframeError('VALIDATION_FAILED', 'Padding is at most 64 KiB')
  }
  if (paddingUsed + target.length > padding.length) {
    sodium.randombytes_buf_deterministic(asBuffer(padding), asBuffer(randomBytes(32)))
    paddingUsed = 0
  }
  target.set(padding.subarray(paddingUsed, paddingUsed + target.length))
  paddingUsed += target.length
}

/** sodium-native reads and writes any typed array; only its published types insist on Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return bytes as Buffer
}

export const primitives: Primitives = {
  x25519,
  x25519PublicKey,
  sha256,
  hmacSha256,
  blake2b256,
  keccak256,
  aeadSeal,
  aeadOpen,
  ed25519PublicKey: (seed) => ed25519KeyPair(seed).publicKey,
  ed25519Sign,
  ed25519Verify,
  secp256k1PublicKey: (secretKey) => secp256k1.publicKeyCreate(secretKey, false),
  secp256k1Sign,
  secp256k1Recover,
  randomBytes,
  randomFill,
}
