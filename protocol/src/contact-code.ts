/** Contact codes: bech32m of a version and an inbox public key (PROTOCOL.md §1.3). */
import { bech32m } from '@scure/base'
import { concatBytes } from './bytes.ts'
import { MainframeError } from './errors.ts'

const PREFIX = 'mf'
const VERSION = 0
const KEY_BYTES = 32
/** Codes of later versions may be longer; past this it is certainly none. */
const MAX_CODE_CHARACTERS = 1023

/** The code of an inbox, such as `mf1…`. */
export function encodeContactCode(inboxPublicKey: Uint8Array): string {
  if (inboxPublicKey.length !== KEY_BYTES) {
    throw new MainframeError('CRYPTO_INVALID_KEY', 'An inbox public key is 32 bytes')
  }
  return bech32m.encodeFromBytes(PREFIX, concatBytes(Uint8Array.of(VERSION), inboxPublicKey))
}

/** The inbox public key of a contact code. Throws `CODEC_INVALID`. */
export function decodeContactCode(code: string): Uint8Array {
  const decoded = bech32m.decodeUnsafe(code.trim(), MAX_CODE_CHARACTERS)
  const bytes = decoded?.prefix === PREFIX ? bech32m.fromWordsUnsafe(decoded.words) : undefined
  const version = bytes?.[0]
  if (bytes && version !== undefined && version > VERSION) {
    throw new MainframeError(
      'CODEC_INVALID',
      `Contact code version ${version} is newer than this software`,
    )
  }
  if (bytes?.length !== 1 + KEY_BYTES) {
    throw new MainframeError(
      'CODEC_INVALID',
      'Not a contact code: one is "mf1" and some sixty letters and digits; copy it as a whole',
    )
  }
  return Uint8Array.from(bytes.subarray(1))
}
