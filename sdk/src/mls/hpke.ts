/**
 * HPKE in base mode (RFC 9180) as MLS uses it, one message to a context. By libraries it would come
 * with WebCrypto, whose promises cost several times what these short hashes do, and with a tenth more
 * for a page to fetch; tests hold it against one of them.
 */
import { aeadOpen, aeadSeal, concatBytes, type KeyPair, MainframeError } from '@mainframe/protocol'
import type { Hpke, PrivateKey, PublicKey } from 'ts-mls'
import { randomBytes } from '../random.ts'
import type { HashFunction } from './hashing.ts'
import { labeledKdf, NOTHING, suiteIdOf } from './kdf.ts'
import type { Kem } from './kems.ts'

/** RFC 9180 §7.3, ChaCha20-Poly1305. */
const AEAD = { id: 0x0003, keyBytes: 32, nonceBytes: 12 }
const SECRET_BYTES = 32
const MODE_BASE = Uint8Array.of(0)

/** What seals one message, and what exports secrets. */
interface Context {
  key: Uint8Array
  nonce: Uint8Array
  exporter: Uint8Array
}

export function createHpke(
  kem: Kem,
  { hash, kdfId }: { hash: HashFunction /** RFC 9180 §7.2. */; kdfId: number },
): Hpke {
  const kdf = labeledKdf(hash, suiteIdOf('HPKE', kem.id, kdfId, AEAD.id))
  const noPsk = kdf.extract(NOTHING, 'psk_id_hash', NOTHING)

  /** KeySchedule, §5.1. */
  const contextOf = (shared: Uint8Array, info: Uint8Array): Context => {
    const context = concatBytes(MODE_BASE, noPsk, kdf.extract(NOTHING, 'info_hash', info))
    const secret = kdf.extract(shared, 'secret', NOTHING)
    return {
      key: kdf.expand(secret, 'key', context, AEAD.keyBytes),
      nonce: kdf.expand(secret, 'base_nonce', context, AEAD.nonceBytes),
      exporter: kdf.expand(secret, 'exp', context, hash.outputLen),
    }
  }
  const sender = (key: PublicKey) => attempt(() => kem.encapsulate(bytesIn(key)))
  const recipient = (key: PrivateKey, enc: Uint8Array, info: Uint8Array) =>
    contextOf(
      attempt(() => kem.decapsulate(pairIn(key), enc)),
      info,
    )
  const exported = ({ exporter }: Context, context: Uint8Array, length: number) =>
    kdf.expand(exporter, 'sec', context, length)

  return {
    keyLength: AEAD.keyBytes,
    nonceLength: AEAD.nonceBytes,
    open: async (key, enc, ciphertext, info, aad) =>
      open(recipient(key, enc, info), ciphertext, aad),
    seal: async (key, text, info, aad = NOTHING) => {
      const { secret, enc } = sender(key)
      return { ct: aeadSeal({ ...contextOf(secret, info), aad, text }), enc }
    },
    exportSecret: async (key, context, length, info) => {
      const { secret, enc } = sender(key)
      return { enc, secret: exported(contextOf(secret, info), context, length) }
    },
    importSecret: async (key, context, enc, length, info) =>
      exported(recipient(key, enc, info), context, length),
    encryptAead: async (key, nonce, aad = NOTHING, text) => aeadSeal({ key, nonce, aad, text }),
    decryptAead: async (key, nonce, aad, text) => open({ key, nonce }, text, aad),
    importPrivateKey: async (secretKey) => attempt(() => privateKey(kem.pairOf(secretKey))),
    importPublicKey: async (bytes) => {
      if (bytes.length === kem.publicKeyBytes) return publicKey(bytes)
      throw new MainframeError('CRYPTO_INVALID_KEY', 'A public key has a wrong length')
    },
    exportPrivateKey: async (key) => pairIn(key).secretKey.slice(),
    exportPublicKey: async (key) => bytesIn(key).slice(),
    deriveKeyPair: async (material) => keysOf(kem.derive(material)),
    generateKeyPair: async () => keysOf(kem.pairOf(randomBytes(SECRET_BYTES))),
  }
}

function open(
  { key, nonce }: Pick<Context, 'key' | 'nonce'>,
  text: Uint8Array,
  aad: Uint8Array = NOTHING,
): Uint8Array {
  const opened = aeadOpen({ key, nonce, aad, text })
  if (opened) return opened
  throw new MainframeError('CODEC_INVALID', 'A ciphertext does not open')
}

/** What others sent may have any form, of which the libraries say this and that. */
function attempt<T>(compute: () => T): T {
  try {
    return compute()
  } catch (cause) {
    if (cause instanceof MainframeError) throw cause
    throw new MainframeError('CRYPTO_INVALID_KEY', 'Not a key of this ciphersuite', { cause })
  }
}

/** ts-mls passes keys around as WebCrypto's, and never looks into them. */
function keysOf(pair: KeyPair): { privateKey: PrivateKey; publicKey: PublicKey } {
  return { privateKey: privateKey(pair), publicKey: publicKey(pair.publicKey) }
}

function privateKey(pair: KeyPair): PrivateKey {
  return { type: 'private', pair } as unknown as PrivateKey
}

function publicKey(bytes: Uint8Array): PublicKey {
  return { type: 'public', bytes: bytes.slice() } as unknown as PublicKey
}

function pairIn(key: PrivateKey): KeyPair {
  return (key as unknown as { pair: KeyPair }).pair
}

function bytesIn(key: PublicKey): Uint8Array {
  return (key as unknown as { bytes: Uint8Array }).bytes
}
