/** Encryption at rest: keys from passphrases, and boxes that open in their own place only. */
import {
  aeadOpen,
  aeadSeal,
  concatBytes,
  fromHex,
  MainframeError,
  toHex,
} from '@mainframe/protocol'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { scrypt } from '#platform'
import { randomBytes } from '../random.ts'
import { hex, maybe, object, text, whole } from '../readers.ts'

const KEY_BYTES = 32
const BOX_VERSION = 1
const BOX_SALT_BYTES = 24
const SALT_BYTES = 16
/** N = 2^17: each guess takes 128 MiB, and a third of a second by OpenSSL. */
const SCRYPT_LOG_N = 17
/** What is read may not ask for more memory than 1 GiB. */
const SCRYPT_BOUNDS = { least: 10, most: 20 }
/** Every box has a key of its own, so its nonce is used once. */
const NONCE = new Uint8Array(12)
const encoder = new TextEncoder()

/** HMAC-SHA256 of a text: a key for a purpose, or a name that tells nothing. */
export function macOf(key: Uint8Array, purpose: string): Uint8Array {
  return hmac(sha256, key, encoder.encode(purpose))
}

/** ChaCha20-Poly1305 under a key made from 24 random bytes; `place` is authenticated. */
export function sealBox(key: Uint8Array, place: string, bytes: Uint8Array): Uint8Array {
  const salt = randomBytes(BOX_SALT_BYTES)
  const boxKey = hmac(sha256, key, salt)
  const aad = aadOf(place)
  const sealed = aeadSeal({ key: boxKey, nonce: NONCE, aad, text: bytes })
  return concatBytes(Uint8Array.of(BOX_VERSION), salt, sealed)
}

/** What {@link sealBox} sealed; `undefined` for anything else, also for the box of another place. */
export function openBox(key: Uint8Array, place: string, box: Uint8Array): Uint8Array | undefined {
  if (box[0] !== BOX_VERSION || box.length < 1 + BOX_SALT_BYTES) return undefined
  const boxKey = hmac(sha256, key, box.subarray(1, 1 + BOX_SALT_BYTES))
  const sealed = box.subarray(1 + BOX_SALT_BYTES)
  return aeadOpen({ key: boxKey, nonce: NONCE, aad: aadOf(place), text: sealed })
}

function aadOf(place: string): Uint8Array {
  return encoder.encode(`mainframe/store/${BOX_VERSION}/${place}`)
}

/** A key that a passphrase opens, as it is written down. */
export interface LockedKey {
  version: number
  kdf: string
  /** scrypt's N is two to this power. */
  logN: number
  salt: string
  box: string
}

const read = object({ version: whole, kdf: text, logN: whole, salt: hex(SALT_BYTES), box: hex() })

/** A {@link LockedKey} of a form that we know, or `undefined`. */
export const readLockedKey = maybe<LockedKey>((value, path) => {
  const { least, most } = SCRYPT_BOUNDS
  const locked = read(value, path)
  if (
    locked.version === 1 &&
    locked.kdf === 'scrypt' &&
    locked.logN >= least &&
    locked.logN <= most
  )
    return locked
  throw new MainframeError('CODEC_INVALID', 'A key is locked in another way')
})

/** Locks a key of 32 bytes by a passphrase. Throws `CONFIG_INVALID` for an empty one. */
export async function lockKey(
  key: Uint8Array,
  passphrase: string,
  logN: number = SCRYPT_LOG_N,
): Promise<LockedKey> {
  const salt = randomBytes(SALT_BYTES)
  const outer = await stretch(passphrase, salt, logN)
  const box = toHex(sealBox(outer, placeOf(logN), key))
  return { version: 1, kdf: 'scrypt', logN, salt: toHex(salt), box }
}

/** The key. Throws `STORE_PASSPHRASE`, `CONFIG_INVALID` for an empty passphrase. */
export async function unlockKey(
  { logN, salt, box }: LockedKey,
  passphrase: string,
): Promise<Uint8Array> {
  const outer = await stretch(passphrase, fromHex(salt), logN)
  const key = openBox(outer, placeOf(logN), fromHex(box))
  if (key?.length === KEY_BYTES) return key
  throw new MainframeError('STORE_PASSPHRASE', 'The passphrase is not the right one; try again')
}

export function newKey(): Uint8Array {
  return randomBytes(KEY_BYTES)
}

async function stretch(passphrase: string, salt: Uint8Array, logN: number): Promise<Uint8Array> {
  if (passphrase === '') {
    throw new MainframeError('CONFIG_INVALID', 'A passphrase has at least one character')
  }
  // the same letters may be typed as different code points
  const typed = encoder.encode(passphrase.normalize('NFKC'))
  return await scrypt(typed, salt, logN)
}

function placeOf(logN: number): string {
  return `key/scrypt/${logN}`
}
