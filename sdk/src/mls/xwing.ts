/** X-Wing, which is X25519 with ML-KEM-768, from noble-post-quantum, in the form that HPKE takes. */
import { KemId, type KemInterface } from '@hpke/core'
import { MainframeError } from '@mainframe/protocol'
import { shake256 } from '@noble/hashes/sha3.js'
import { ml_kem768_x25519 as kem } from '@noble/post-quantum/hybrid.js'
import { bufferOf, bytesOf } from './buffers.ts'

/** What travels as a `CryptoKey`: WebCrypto does not know X-Wing. The private one is its seed. */
interface XWingKey extends CryptoKey {
  readonly bytes: Uint8Array
}

const SEED_BYTES = 32
const { publicKey: PUBLIC_KEY_BYTES, cipherText: ENC_BYTES } = kem.lengths as {
  publicKey: number
  cipherText: number
}

export const xWing: KemInterface = {
  id: KemId.XWing,
  secretSize: 32,
  encSize: ENC_BYTES,
  publicKeySize: PUBLIC_KEY_BYTES,
  privateKeySize: SEED_BYTES,
  serializePublicKey: async (key) => bufferOf(bytesIn(key)),
  serializePrivateKey: async (key) => bufferOf(bytesIn(key)),
  deserializePublicKey: async (bytes) => keyOf('public', bytesOf(bytes)),
  deserializePrivateKey: async (bytes) => keyOf('private', bytesOf(bytes)),
  importKey: async (_format, key, isPublic = true) => {
    if (key instanceof ArrayBuffer) return keyOf(isPublic ? 'public' : 'private', bytesOf(key))
    throw unusable()
  },
  generateKeyPair: async () => pairOf(kem.keygen()),
  deriveKeyPair: async (material) =>
    pairOf(kem.keygen(shake256(bytesOf(material), { dkLen: SEED_BYTES }))),
  encap: async ({ recipientPublicKey }) => {
    const { cipherText, sharedSecret } = kem.encapsulate(bytesIn(recipientPublicKey))
    return { sharedSecret: bufferOf(sharedSecret), enc: bufferOf(cipherText) }
  },
  decap: async ({ recipientKey, enc }) => {
    const key = 'privateKey' in recipientKey ? recipientKey.privateKey : recipientKey
    return bufferOf(kem.decapsulate(bytesOf(enc), bytesIn(key)))
  },
}

function pairOf({ secretKey, publicKey }: { secretKey: Uint8Array; publicKey: Uint8Array }) {
  return { privateKey: keyOf('private', secretKey), publicKey: keyOf('public', publicKey) }
}

function keyOf(type: 'public' | 'private', bytes: Uint8Array): XWingKey {
  if (bytes.length !== (type === 'public' ? PUBLIC_KEY_BYTES : SEED_BYTES)) throw unusable()
  const usages: KeyUsage[] = type === 'public' ? [] : ['deriveBits']
  return { type, bytes: bytes.slice(), algorithm: { name: 'X-Wing' }, extractable: true, usages }
}

function bytesIn(key: CryptoKey): Uint8Array {
  return (key as XWingKey).bytes
}

function unusable(): MainframeError {
  return new MainframeError('CRYPTO_INVALID_KEY', 'Not an X-Wing key')
}
