/** The two ways in which HPKE agrees on a secret here. */
import {
  concatBytes,
  createKeyPair,
  type KeyPair,
  MainframeError,
  x25519,
} from '@mainframe/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { shake256 } from '@noble/hashes/sha3.js'
import { labeledKdf, NOTHING, suiteIdOf } from './kdf.ts'
import { xWing } from './xwing.ts'

/** A key encapsulation mechanism. Whatever gets bytes of a wrong form throws. */
export interface Kem {
  /** RFC 9180 §7.1. */
  readonly id: number
  readonly publicKeyBytes: number
  /** A key pair of its secret, which is 32 bytes. */
  pairOf(secretKey: Uint8Array): KeyPair
  /** DeriveKeyPair: a key pair of any material. */
  derive(material: Uint8Array): KeyPair
  encapsulate(publicKey: Uint8Array): { secret: Uint8Array; enc: Uint8Array }
  decapsulate(keyPair: KeyPair, enc: Uint8Array): Uint8Array
}

const SECRET_BYTES = 32
const X25519_ID = 0x0020
const kdf = labeledKdf(sha256, suiteIdOf('KEM', X25519_ID))

/** DHKEM(X25519, HKDF-SHA256), RFC 9180 §4.1. */
export const dhKem: Kem = {
  id: X25519_ID,
  publicKeyBytes: 32,
  pairOf: createKeyPair,
  derive: (material) => {
    const key = kdf.extract(NOTHING, 'dkp_prk', material)
    return createKeyPair(kdf.expand(key, 'sk', NOTHING, SECRET_BYTES))
  },
  encapsulate: (publicKey) => {
    const { secretKey, publicKey: enc } = createKeyPair()
    return { secret: agree(secretKey, { theirs: publicKey, enc, publicKey }), enc }
  },
  decapsulate: ({ secretKey, publicKey }, enc) => agree(secretKey, { theirs: enc, enc, publicKey }),
}

/** ExtractAndExpand of X25519. */
function agree(
  secretKey: Uint8Array,
  { theirs, enc, publicKey }: { theirs: Uint8Array; enc: Uint8Array; publicKey: Uint8Array },
): Uint8Array {
  const agreed = theirs.length === 32 ? x25519(secretKey, theirs) : undefined
  if (!agreed) throw new MainframeError('CRYPTO_INVALID_KEY', 'Not a usable X25519 public key')
  const key = kdf.extract(NOTHING, 'eae_prk', agreed)
  return kdf.expand(key, 'shared_secret', concatBytes(enc, publicKey), SECRET_BYTES)
}

/** X-Wing, which is X25519 with ML-KEM-768; its secret key is a seed. */
export const xWingKem: Kem = {
  id: 0x647a,
  publicKeyBytes: 1216,
  pairOf: (seed) => xWing.keygen(seed),
  derive: (material) => xWing.keygen(shake256(material, { dkLen: SECRET_BYTES })),
  encapsulate: (publicKey) => {
    const { sharedSecret, cipherText } = xWing.encapsulate(publicKey)
    return { secret: sharedSecret, enc: cipherText }
  },
  decapsulate: ({ secretKey }, enc) => xWing.decapsulate(enc, secretKey),
}
