/** The few primitives that the protocol composes; `native.ts` and `portable.ts` implement them. */
export interface Primitives {
  /** X25519 (RFC 7748 §5); `undefined` when the result is all zeros (low-order point). */
  x25519(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined
  x25519PublicKey(secretKey: Uint8Array): Uint8Array
  sha256(data: Uint8Array): Uint8Array
  /** HMAC-SHA256 (RFC 2104) of the parts one after the other. */
  hmacSha256(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array
  /** BLAKE2b with 32 bytes of output (RFC 7693). */
  blake2b256(data: Uint8Array): Uint8Array
  /** Keccak-256 as Ethereum has it: the padding of before SHA-3. */
  keccak256(data: Uint8Array): Uint8Array
  /** ChaCha20-Poly1305 (RFC 8439): ciphertext followed by the 16-byte tag. */
  aeadSeal(box: AeadInput): Uint8Array
  /** The plaintext, or `undefined` when the tag does not fit. */
  aeadOpen(box: AeadInput): Uint8Array | undefined
  /** Public key of an Ed25519 seed of 32 bytes (RFC 8032). */
  ed25519PublicKey(seed: Uint8Array): Uint8Array
  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** Uncompressed public key (65 bytes) of a 32-byte secret; throws when that is no scalar. */
  secp256k1PublicKey(secretKey: Uint8Array): Uint8Array
  /** ECDSA over secp256k1 with the nonce of RFC 6979 and low s: r, then s, and the recovery bit. */
  secp256k1Sign(
    digest: Uint8Array,
    secretKey: Uint8Array,
  ): { signature: Uint8Array; recovery: number }
  /** The uncompressed public key of whoever signed; `undefined` when there can be none. */
  secp256k1Recover(
    digest: Uint8Array,
    signature: Uint8Array,
    recovery: 0 | 1,
  ): Uint8Array | undefined
  randomBytes(length: number): Uint8Array
  /** Random bytes that are no secret: padding. */
  randomFill(target: Uint8Array): void
}

/** What an AEAD call reads: a 32-byte key, a 12-byte nonce, associated data, and text. */
export interface AeadInput {
  key: Uint8Array
  nonce: Uint8Array
  aad: Uint8Array
  text: Uint8Array
}

/** An X25519 key pair; the public key is kept because opening needs it every time. */
export interface KeyPair {
  secretKey: Uint8Array
  publicKey: Uint8Array
}

/** Bytes that ChaCha20-Poly1305 adds. */
export const TAG_BYTES = 16
