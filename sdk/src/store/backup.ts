/** Everything of a store that may be put back, in one encrypted file. */
import { concatBytes, MainframeError, viewOf } from '@mainframe/protocol'
import {
  type LockedKey,
  lockKey,
  newKey,
  openBox,
  readLockedKey,
  sealBox,
  unlockKey,
} from './secret-box.ts'
import { STORE_KEY, type Store } from './store.ts'

/**
 * Keys, or what they begin with up to a dot, of values that must not be put back. The key that signs vouchers: amounts only grow, and whoever has
 * forgotten the newest would sign less than was signed before. A client without the key makes another,
 * and with it channels of its own; the records of the old ones are put back, so that they can be closed.
 * Conversations: whoever goes back to an older state of MLS would encrypt another message with a key that was
 * used already. Contacts are put back, and ask each other anew.
 */
const LEFT_OUT: readonly string[] = ['voucher-secret', 'c.', 'talk.']
/** Stands in a store from the beginning of a restoration to its end. */
const RESTORING = 'restoring'
const MAGIC = 'mainframe backup 1\n'
const PLACE = 'backup'
/** Everything in a backup is in memory at once. */
const MOST_BYTES = 512 * 1024 * 1024

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The file; its passphrase may be another than the store's. Throws `CONFIG_INVALID`. */
export async function createBackup(
  store: Store,
  passphrase: string,
  logN?: number,
): Promise<Uint8Array> {
  const key = newKey()
  const head = encoder.encode(JSON.stringify(await lockKey(key, passphrase, logN)))
  const parts: Uint8Array[] = []
  let length = 0
  for (const name of await store.list('')) {
    if (isLeftOut(name)) continue
    const value = await store.get(name)
    if (!value) continue // removed meanwhile
    parts.push(entryOf(name, value))
    length += value.length
    if (length > MOST_BYTES) throw tooLarge(length)
  }
  const headLength = Uint8Array.of(head.length >> 8, head.length & 0xff)
  const box = sealBox(key, PLACE, join(parts))
  return concatBytes(encoder.encode(MAGIC), headLength, head, box)
}

/**
 * Puts a backup into an open and empty store. Throws `CODEC_INVALID` (no backup), `STORE_PASSPHRASE`,
 * `STORE_CORRUPT` (the backup was changed), `CONFIG_INVALID` (the store holds something).
 */
export async function restoreBackup(
  store: Store,
  backup: Uint8Array,
  passphrase: string,
): Promise<void> {
  const { locked, box } = split(backup)
  const bytes = openBox(await unlockKey(locked, passphrase), PLACE, box)
  const entries = bytes && readEntries(bytes)
  if (!entries) {
    throw new MainframeError('STORE_CORRUPT', 'The backup was changed; use another copy of it')
  }
  if ((await store.list('')).length > 0) {
    throw new MainframeError('CONFIG_INVALID', 'A backup is put into an empty store; use a new one')
  }
  await store.set(RESTORING, new Uint8Array(0))
  for (const { name, value } of entries) await store.set(name, value)
  await store.delete(RESTORING)
}

/** Throws `STORE_CORRUPT` for a store into which a backup was put only in part. */
export async function assertRestored(store: Store): Promise<void> {
  if ((await store.get(RESTORING)) === undefined) return
  throw new MainframeError(
    'STORE_CORRUPT',
    'A backup was put into the store only in part; put it into a new one',
  )
}

function isLeftOut(name: string): boolean {
  return LEFT_OUT.some((left) => name === left || (left.endsWith('.') && name.startsWith(left)))
}

interface Entry {
  name: string
  value: Uint8Array
}

function entryOf(name: string, value: Uint8Array): Uint8Array {
  const bytes = encoder.encode(name)
  const length = new Uint8Array(4)
  viewOf(length).setUint32(0, value.length)
  return concatBytes(Uint8Array.of(bytes.length), bytes, length, value)
}

/** Of more parts than a call has arguments. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function readEntries(bytes: Uint8Array): Entry[] | undefined {
  const entries: Entry[] = []
  const view = viewOf(bytes)
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 1 + (bytes[at] ?? 0)
    if (nameEnd + 4 > bytes.length) return undefined
    const name = decoder.decode(bytes.subarray(at + 1, nameEnd))
    const end = nameEnd + 4 + view.getUint32(nameEnd)
    if (end > bytes.length || !STORE_KEY.test(name)) return undefined
    entries.push({ name, value: bytes.slice(nameEnd + 4, end) })
    at = end
  }
  return entries
}

function split(backup: Uint8Array): { locked: LockedKey; box: Uint8Array } {
  const magic = encoder.encode(MAGIC)
  const start = magic.length + 2
  const isOurs = backup.length > start && magic.every((byte, i) => byte === backup[i])
  const end = isOurs ? start + viewOf(backup).getUint16(magic.length) : 0
  const locked = readLockedKey(parse(backup.subarray(start, end)))
  if (isOurs && locked && end < backup.length) return { locked, box: backup.subarray(end) }
  throw new MainframeError('CODEC_INVALID', 'This is no backup; choose another file')
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
}

function tooLarge(length: number): MainframeError {
  return new MainframeError(
    'VALIDATION_FAILED',
    'The store is too large for a backup in one piece; copy its folder while the client is closed',
    { details: { length, limit: MOST_BYTES } },
  )
}
