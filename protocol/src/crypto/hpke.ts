/**
 * HPKE base mode (RFC 9180) in the one suite that packets use: DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, ChaCha20-Poly1305. The primitives are passed in, so that both implementations of
 * them can be tested against each other and against another library.
 */
import { bigintToBytes, concatBytes, utf8 } from '../bytes.ts'
import type { KeyPair, Primitives } from './primitives.ts'

/** An HPKE context after setup: the AEAD key and the nonce to XOR sequence numbers into. */
export interface HpkeContext {
  key: Uint8Array
  baseNonce: Uint8Array
}

/** A sender's context with the encapsulated key that the receiver needs. */
export interface SenderContext {
  enc: Uint8Array
  context: HpkeContext
}

/** The HPKE operations for one `info` string, over one set of primitives. */
export interface Hpke {
  /** A context to seal for `publicKey`; `undefined` when that key is a low-order point. */
  setupSender(publicKey: Uint8Array, ephemeralSecret?: Uint8Array): SenderContext | undefined
  /** The receiver's context; `undefined` when `enc` is a low-order point. */
  setupReceiver(enc: Uint8Array, keyPair: KeyPair): HpkeContext | undefined
  /** The same from X25519 of `enc` and our key, for whoever has computed that already. */
  receiverContext(dh: Uint8Array, enc: Uint8Array, publicKey: Uint8Array): HpkeContext
  seal(context: HpkeContext, message: HpkeMessage): Uint8Array
  open(context: HpkeContext, message: HpkeMessage): Uint8Array | undefined
}

/** One message of a context: its number from 0, associated data and (cipher)text. */
export interface HpkeMessage {
  sequence: number
  aad: Uint8Array
  text: Uint8Array
}

const EMPTY = new Uint8Array(0)
const VERSION = utf8('HPKE-v1')
const KEM_SUITE = concatBytes(utf8('KEM'), Uint8Array.of(0x00, 0x20))
const HPKE_SUITE = concatBytes(
  utf8('HPKE'),
  Uint8Array.of(0x00, 0x20), // DHKEM(X25519, HKDF-SHA256), RFC 9180 §7.1
  Uint8Array.of(0x00, 0x01), // HKDF-SHA256, §7.2
  Uint8Array.of(0x00, 0x03), // ChaCha20-Poly1305, §7.3
)
const KEY_BYTES = 32
const NONCE_BYTES = 12

const extractPrefix = (suite: Uint8Array, label: string) => concatBytes(VERSION, suite, utf8(label))
const expandPrefix = (suite: Uint8Array, label: string, length: number) =>
  concatBytes(bigintToBytes(BigInt(length), 2), VERSION, suite, utf8(label))

const LABELS = {
  eaePrk: extractPrefix(KEM_SUITE, 'eae_prk'),
  sharedSecret: expandPrefix(KEM_SUITE, 'shared_secret', 32),
  secret: extractPrefix(HPKE_SUITE, 'secret'),
  key: expandPrefix(HPKE_SUITE, 'key', KEY_BYTES),
  baseNonce: expandPrefix(HPKE_SUITE, 'base_nonce', NONCE_BYTES),
}
const LAST_BLOCK = Uint8Array.of(1) // every output fits one HMAC: HKDF-Expand's T(1), RFC 5869 §2.3

export function createHpke(primitives: Primitives, info: Uint8Array): Hpke {
  const { hmacSha256, x25519 } = primitives
  const modeBase = Uint8Array.of(0)
  const keyScheduleContext = concatBytes(
    modeBase,
    hmacSha256(EMPTY, extractPrefix(HPKE_SUITE, 'psk_id_hash')),
    hmacSha256(EMPTY, extractPrefix(HPKE_SUITE, 'info_hash'), info),
  )
  const keyInput = concatBytes(LABELS.key, keyScheduleContext, LAST_BLOCK)
  const nonceInput = concatBytes(LABELS.baseNonce, keyScheduleContext, LAST_BLOCK)

  // RFC 9180 §4.1 ExtractAndExpand, then §5.1 KeySchedule with the default (empty) PSK.
  const schedule = (dh: Uint8Array, enc: Uint8Array, publicKey: Uint8Array): HpkeContext => {
    const eaePrk = hmacSha256(EMPTY, LABELS.eaePrk, dh)
    const sharedSecret = hmacSha256(eaePrk, LABELS.sharedSecret, enc, publicKey, LAST_BLOCK)
    const secret = hmacSha256(sharedSecret, LABELS.secret)
    return {
      key: hmacSha256(secret, keyInput),
      baseNonce: hmacSha256(secret, nonceInput).subarray(0, NONCE_BYTES),
    }
  }

  return {
    setupSender(publicKey, ephemeralSecret = primitives.randomBytes(KEY_BYTES)) {
      const dh = x25519(ephemeralSecret, publicKey)
      if (!dh) return undefined
      const enc = primitives.x25519PublicKey(ephemeralSecret)
      return { enc, context: schedule(dh, enc, publicKey) }
    },
    setupReceiver(enc, { secretKey, publicKey }) {
      const dh = x25519(secretKey, enc)
      return dh && schedule(dh, enc, publicKey)
    },
    receiverContext: schedule,
    seal: (context, message) => primitives.aeadSeal(aeadInput(context, message)),
    open: (context, message) => primitives.aeadOpen(aeadInput(context, message)),
  }
}

function aeadInput({ key, baseNonce }: HpkeContext, { sequence, aad, text }: HpkeMessage) {
  const nonce = baseNonce.slice()
  // RFC 9180 §5.2 ComputeNonce; a packet has two messages, so one byte is enough.
  nonce[NONCE_BYTES - 1] = (nonce[NONCE_BYTES - 1] ?? 0) ^ sequence
  return { key, nonce, aad, text }
}
