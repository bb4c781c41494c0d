/** The primitives from libsodium, for Node. */
import sodium from 'sodium-native'
import type { AeadInput, Primitives } from './primitives.ts'
import { TAG_BYTES } from './primitives.ts'

/** Missing from the published types; the signatures are those of the XChaCha20 variants. */
declare module 'sodium-native' {
  export const crypto_aead_chacha20poly1305_ietf_encrypt: typeof sodium.crypto_aead_xchacha20poly1305_ietf_encrypt
  export const crypto_aead_chacha20poly1305_ietf_decrypt: typeof sodium.crypto_aead_xchacha20poly1305_ietf_decrypt
}

const SHA256_BLOCK_BYTES = 64

function sha256(data: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafeSlow(32)
  sodium.crypto_hash_sha256(out, asBuffer(data))
  return new Uint8Array(out.buffer)
}

/** libsodium's own HMAC-SHA256 is not exported by sodium-native, so RFC 2104 §2 over its hash. */
function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  const block = key.length > SHA256_BLOCK_BYTES ? sha256(key) : key
  const inner = new Uint8Array(SHA256_BLOCK_BYTES + data.length).fill(0x36, 0, SHA256_BLOCK_BYTES)
  const outer = new Uint8Array(SHA256_BLOCK_BYTES + 32).fill(0x5c, 0, SHA256_BLOCK_BYTES)
  for (let i = 0; i < block.length; i++) {
    const byte = block[i] ?? 0
    inner[i] = byte ^ 0x36
    outer[i] = byte ^ 0x5c
  }
  inner.set(data, SHA256_BLOCK_BYTES)
  outer.set(sha256(inner), SHA256_BLOCK_BYTES)
  return sha256(outer)
}

function x25519(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const out = Buffer.allocUnsafeSlow(32)
  try {
    sodium.crypto_scalarmult(out, asBuffer(secretKey), asBuffer(publicKey))
  } catch {
    return undefined // libsodium refuses low-order points; a peer may send one at will
  }
  return new Uint8Array(out.buffer)
}

function x25519PublicKey(secretKey: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafeSlow(32)
  sodium.crypto_scalarmult_base(out, asBuffer(secretKey))
  return new Uint8Array(out.buffer)
}

function blake2b256(data: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafeSlow(32)
  sodium.crypto_generichash(out, asBuffer(data))
  return new Uint8Array(out.buffer)
}

function aeadSeal({ key, nonce, aad, text }: AeadInput): Uint8Array {
  const out = Buffer.allocUnsafeSlow(text.length + TAG_BYTES)
  sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
    out,
    asBuffer(text),
    asBuffer(aad),
    null,
    asBuffer(nonce),
    asBuffer(key),
  )
  return new Uint8Array(out.buffer)
}

function aeadOpen({ key, nonce, aad, text }: AeadInput): Uint8Array | undefined {
  if (text.length < TAG_BYTES) return undefined
  const out = Buffer.allocUnsafeSlow(text.length - TAG_BYTES)
  try {
    sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
      out,
      null,
      asBuffer(text),
      asBuffer(aad),
      asBuffer(nonce),
      asBuffer(key),
    )
  } catch {
    return undefined
  }
  return new Uint8Array(out.buffer)
}

function ed25519KeyPair(seed: Uint8Array): { publicKey: Buffer; secretKey: Buffer } {
  const publicKey = Buffer.allocUnsafeSlow(32)
  const secretKey = Buffer.allocUnsafeSlow(64)
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, asBuffer(seed))
  return { publicKey, secretKey }
}

function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafeSlow(64)
  sodium.crypto_sign_detached(out, asBuffer(message), ed25519KeyPair(seed).secretKey)
  return new Uint8Array(out.buffer)
}

function ed25519Verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) return false
  return sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(message), asBuffer(key))
}

function randomBytes(length: number): Uint8Array {
  const out = Buffer.allocUnsafeSlow(length)
  sodium.randombytes_buf(out)
  return new Uint8Array(out.buffer)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export const primitives: Primitives = {
  x25519,
  x25519PublicKey,
  sha256,
  hmacSha256,
  blake2b256,
  aeadSeal,
  aeadOpen,
  ed25519PublicKey: (seed) => new Uint8Array(ed25519KeyPair(seed).publicKey.buffer),
  ed25519Sign,
  ed25519Verify,
  randomBytes,
}
