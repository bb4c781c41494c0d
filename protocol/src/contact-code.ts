/** Contact codes: bech32m of a version and an inbox public key (PROTOCOL.md §1.3). */
import { bech32m } from '@scure/base'
import { concatBytes } from './bytes.ts'
import { MainframeError } from './errors.ts'

const PREFIX = 'mf'
const VERSION = 0
const KEY_BYTES = 32

/** The code of an inbox, such as `mf1…`. */
export function encodeContactCode(inboxPublicKey: Uint8Array): string {
  if (inboxPublicKey.length !== KEY_BYTES) {
    throw new MainframeError('CRYPTO_INVALID_KEY', 'An inbox public key is 32 bytes')
  }
  return bech32m.encodeFromBytes(PREFIX, concatBytes(Uint8Array.of(VERSION), inboxPublicKey))
}

/** The inbox public key of a contact code. Throws `CODEC_INVALID`. */
export function decodeContactCode(code: string): Uint8Array {
  const decoded = bech32m.decodeUnsafe(code.trim())
  const bytes = decoded?.prefix === PREFIX ? bech32m.fromWordsUnsafe(decoded.words) : undefined
  if (!bytes || bytes.length !== 1 + KEY_BYTES) {
    throw new MainframeError(
      'CODEC_INVALID',
      'Not a contact code: it starts with "mf1"; check for a typo',
    )
  }
  if (bytes[0] !== VERSION) {
    throw new MainframeError(
      'CODEC_INVALID',
      `Contact code version ${bytes[0]} is newer than this software`,
    )
  }
  return Uint8Array.from(bytes.subarray(1))
}
