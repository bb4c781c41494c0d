/**
 * The bytes of an append-only file of records.
 *
 * File: magic 8, salt 8, CRC32 u32 over both, records. Record: length u32, distance u32 from the
 * first byte of its batch, CRC32 u32 over salt, offset, length, distance and payload; then the
 * payload. A batch is what one fdatasync made durable, and the next batch is written only after it.
 * So a damaged record with nothing behind it, or only more of its own batch, is what a crash left of
 * a batch that nobody was told of, and is cut; a damaged record with a later batch behind it is
 * corruption, and is refused. Salt and offset keep what peers make us store from ever looking like a
 * record; a damaged salt would make all records look torn, so it has a checksum of its own.
 */
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { MainframeError, viewOf } from '@mainframe/protocol'

const MAGIC = Uint8Array.of(0x4d, 0x46, 0x4c, 0x4f, 0x47, 0x00, 0x00, 0x02) // "MFLOG", version 2
const SALT_BYTES = 8
const SALTED_BYTES = MAGIC.length + SALT_BYTES
export const FILE_HEADER_BYTES = SALTED_BYTES + 4
export const RECORD_HEADER_BYTES = 12
/** The longest record of any log, in bytes. */
export const MAX_RECORD_BYTES = 1 << 20

/** Where a record stands and what it says. */
interface PlacedRecord {
  /** Of its header. */
  offset: number
  payload: Uint8Array
}

/** The first bytes of a new file, with a salt of its own. */
export function newFileHeader(): Uint8Array {
  const header = new Uint8Array(FILE_HEADER_BYTES)
  header.set(MAGIC)
  header.set(randomBytes(SALT_BYTES), MAGIC.length)
  viewOf(header).setUint32(SALTED_BYTES, crc32(header.subarray(0, SALTED_BYTES)))
  return header
}

/** The salt of a file that begins so; `undefined` when it is none of ours, or too short. */
export function saltOf(header: Uint8Array | undefined): Uint8Array | undefined {
  if (!header || !MAGIC.every((byte, i) => byte === header[i])) return undefined
  const isIntact =
    viewOf(header).getUint32(SALTED_BYTES) === crc32(header.subarray(0, SALTED_BYTES))
  return isIntact ? Uint8Array.from(header.subarray(MAGIC.length, SALTED_BYTES)) : undefined
}

/** The header of a record whose batch began at `batchStart`. */
export function recordHeader(
  salt: Uint8Array,
  { offset, payload, batchStart }: PlacedRecord & { batchStart: number },
): Uint8Array {
  const header = new Uint8Array(RECORD_HEADER_BYTES)
  const view = viewOf(header)
  view.setUint32(0, payload.length)
  view.setUint32(4, offset - batchStart)
  view.setUint32(8, checksum(salt, header, { offset, payload }))
  return header
}

/** What a record header at a place in some bytes says, whether it is one or not. */
export function readRecordHeader(
  bytes: Buffer,
  start: number,
): { length: number; distance: number } {
  return { length: bytes.readUInt32BE(start), distance: bytes.readUInt32BE(start + 4) }
}

export function isIntact(salt: Uint8Array, header: Uint8Array, record: PlacedRecord): boolean {
  return viewOf(header).getUint32(8) === checksum(salt, header, record)
}

function checksum(salt: Uint8Array, header: Uint8Array, { offset, payload }: PlacedRecord): number {
  const place = new Uint8Array(8)
  viewOf(place).setBigUint64(0, BigInt(offset))
  return crc32(payload, crc32(header.subarray(0, 8), crc32(place, crc32(salt))))
}

/** `STORE_CORRUPT` for a file that does not begin as ours do: nothing of it can be read. */
export function unreadable(path: string): MainframeError {
  return new MainframeError(
    'STORE_CORRUPT',
    `${path} is no log of this version, or damaged at byte 0: restore it from a backup, or move it ` +
      'away, which gives up everything recorded in it',
    { details: { path, offset: 0 } },
  )
}

/** `STORE_CORRUPT` for a record that is damaged, with the way out. */
export function corrupt(path: string, offset: number): MainframeError {
  return new MainframeError(
    'STORE_CORRUPT',
    `${path} is damaged at byte ${offset}: restore it from a backup, or keep a copy and cut it ` +
      `with "truncate -s ${offset} ${path}", which gives up everything recorded after that byte`,
    { details: { path, offset } },
  )
}
