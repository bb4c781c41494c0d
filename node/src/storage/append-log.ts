/**
 * An append-only file of records: what vouchers, signed amounts and held packets are kept in.
 *
 * File: magic 8, salt 8, records. Record: length u32, distance u32 from the first byte of its batch,
 * CRC32 u32 over salt, offset, length, distance and payload; then the payload. A batch is what one
 * fdatasync made durable, and the next batch is written only after it. So a damaged record with
 * nothing behind it, or only more of its own batch, is what a crash left of a batch that nobody was
 * told of, and is cut; a damaged record with a later batch behind it is corruption, and is refused.
 * Salt and offset keep what peers make us store from ever looking like a record.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { MainframeError, viewOf } from '@mainframe/protocol'
import { createDurably, diskFailure, isErrno } from './durable-file.ts'

const MAGIC = Uint8Array.of(0x4d, 0x46, 0x4c, 0x4f, 0x47, 0x00, 0x00, 0x01) // "MFLOG", version 1
const FILE_HEADER_BYTES = 16
const SALT_BYTES = 8
const RECORD_HEADER_BYTES = 12
/** The longest record, in bytes. */
export const MAX_RECORD_BYTES = 1 << 20
/** What one read of the file takes in while it is scanned. */
const SCAN_BYTES = 4 << 20
/** One read usually gets a held packet with its header. */
const READ_BYTES = 4096

interface Batch {
  start: number
  parts: Uint8Array[]
  bytes: number
  done: PromiseWithResolvers<void>
}

export class AppendLog {
  readonly path: string
  /** Bytes of an unfinished batch that were cut when the file was opened. */
  readonly cutBytes: number
  readonly #file: FileHandle
  readonly #salt: Uint8Array
  /** End of the file, what is only in memory included. */
  #size: number
  #batch: Batch | undefined
  #writing: Batch | undefined
  /** Records that are not in the file yet, by offset. */
  readonly #unwritten = new Map<number, Uint8Array>()
  #failure: MainframeError | undefined

  private constructor(path: string, file: FileHandle, { salt, end, cutBytes }: ScanResult) {
    this.path = path
    this.#file = file
    this.#salt = salt
    this.#size = end
    this.cutBytes = cutBytes
  }

  /**
   * Opens or creates a log and hands over every record in order; each is a copy. Throws
   * `STORE_CORRUPT` with the way out, `STORE_FAILED` when the disk refuses.
   */
  static async open(
    path: string,
    onRecord: (record: Uint8Array, offset: number) => void,
  ): Promise<AppendLog> {
    try {
      const header = new Uint8Array(FILE_HEADER_BYTES)
      header.set(MAGIC)
      header.set(randomBytes(SALT_BYTES), MAGIC.length)
      await createDurably(path, header)
      const file = await open(path, 'r+')
      try {
        const scanned = await new Scan(path, file).run(onRecord)
        if (scanned.cutBytes > 0) {
          await file.truncate(scanned.end)
          await file.sync()
        }
        return new AppendLog(path, file, scanned)
      } catch (cause) {
        await file.close()
        throw cause
      }
    } catch (cause) {
      throw cause instanceof MainframeError ? cause : diskFailure(path, cause)
    }
  }

  /** Bytes of the file once everything appended is written: where the next record will stand. */
  get size(): number {
    return this.#size
  }

  /** Adds a record in memory and returns its offset; {@link flush} makes it durable. */
  append(record: Uint8Array): number {
    if (this.#failure) throw this.#failure
    if (record.length === 0 || record.length > MAX_RECORD_BYTES) {
      throw new MainframeError('VALIDATION_FAILED', `A record has 1 to ${MAX_RECORD_BYTES} bytes`)
    }
    const offset = this.#size
    this.#batch ??= { start: offset, parts: [], bytes: 0, done: Promise.withResolvers() }
    const header = new Uint8Array(RECORD_HEADER_BYTES)
    const view = viewOf(header)
    view.setUint32(0, record.length)
    view.setUint32(4, offset - this.#batch.start)
    view.setUint32(8, checksum(this.#salt, { offset, header, payload: record }))
    this.#batch.parts.push(header, record)
    this.#batch.bytes += RECORD_HEADER_BYTES + record.length
    this.#unwritten.set(offset, record)
    this.#size += RECORD_HEADER_BYTES + record.length
    return offset
  }

  /** Resolves when everything appended so far is on disk. Callers of one turn share one fdatasync. */
  async flush(): Promise<void> {
    if (this.#failure) throw this.#failure
    const awaited = this.#batch ?? this.#writing
    if (!awaited) return
    if (!this.#writing) void this.#writeBatches()
    await awaited.done.promise
  }

  /** The record at an offset that {@link append} or {@link open} gave. */
  async read(offset: number): Promise<Uint8Array> {
    const unwritten = this.#unwritten.get(offset)
    if (unwritten) return unwritten.slice()
    const found = await readRecord(this.#file, this.#salt, offset).catch((cause: unknown) => {
      throw diskFailure(this.path, cause)
    })
    if (!found) throw corrupt(this.path, offset)
    return found
  }

  /** Makes everything durable and lets go of the file. */
  async close(): Promise<void> {
    try {
      if (!this.#failure) await this.flush()
    } finally {
      this.#failure ??= new MainframeError('STORE_FAILED', `${this.path} was closed`)
      await this.#file.close()
    }
  }

  async #writeBatches(): Promise<void> {
    while (this.#batch && !this.#failure) {
      this.#writing = this.#batch
      // whatever else this turn appends joins the batch: its object stays the current one
      await setImmediate()
      this.#batch = undefined
      await this.#write(this.#writing)
    }
    this.#writing = undefined
  }

  async #write({ start, parts, bytes, done }: Batch): Promise<void> {
    // a failed batch may have no listener left, but must not end the process
    done.promise.catch(() => {})
    try {
      const content = Buffer.concat(parts, bytes)
      for (let written = 0; written < bytes; ) {
        const position = start + written
        const result = await this.#file.write(content, written, bytes - written, position)
        written += result.bytesWritten
      }
      await this.#file.datasync()
      for (let i = 0, at = start; i < parts.length; i += 2) {
        this.#unwritten.delete(at)
        at += RECORD_HEADER_BYTES + (parts[i + 1]?.length ?? 0)
      }
      done.resolve()
    } catch (cause) {
      // After a failed fsync the state of the file is unknown: nothing more is promised.
      this.#failure = diskFailure(this.path, cause)
      done.reject(this.#failure)
      this.#batch?.done.promise.catch(() => {})
      this.#batch?.done.reject(this.#failure)
    }
  }
}

/**
 * Hands over what a log holds and leaves the file as it is, also while a process appends to it.
 * Answers the bytes of an unfinished batch at its end, `undefined` when there is no file. Throws
 * `STORE_CORRUPT` after the records before the damage, `STORE_FAILED` when the disk refuses.
 */
export async function scanLog(
  path: string,
  onRecord: (record: Uint8Array, offset: number) => void,
): Promise<number | undefined> {
  try {
    const file = await open(path, 'r')
    try {
      return (await new Scan(path, file).run(onRecord)).cutBytes
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined
    throw cause instanceof MainframeError ? cause : diskFailure(path, cause)
  }
}

function checksum(
  salt: Uint8Array,
  { offset, header, payload }: { offset: number; header: Uint8Array; payload: Uint8Array },
): number {
  const place = new Uint8Array(8)
  viewOf(place).setBigUint64(0, BigInt(offset))
  return crc32(payload, crc32(header.subarray(0, 8), crc32(place, crc32(salt))))
}

function corrupt(path: string, offset: number): MainframeError {
  return new MainframeError(
    'STORE_CORRUPT',
    `${path} is damaged at byte ${offset}: restore it from a backup, or keep a copy and cut it ` +
      `with "truncate -s ${offset} ${path}", which gives up everything recorded after that byte`,
    { details: { path, offset } },
  )
}

/** The record at `offset`, or `undefined` when none is intact there. */
async function readRecord(file: FileHandle, salt: Uint8Array, offset: number) {
  const first = Buffer.alloc(READ_BYTES)
  const { bytesRead } = await file.read(first, 0, READ_BYTES, offset)
  if (bytesRead < RECORD_HEADER_BYTES) return undefined
  const header = first.subarray(0, RECORD_HEADER_BYTES)
  const view = viewOf(header)
  const length = view.getUint32(0)
  if (length === 0 || length > MAX_RECORD_BYTES) return undefined
  const payload = new Uint8Array(length)
  const ready = Math.min(length, bytesRead - RECORD_HEADER_BYTES)
  payload.set(first.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + ready))
  if (ready < length) {
    const at = offset + RECORD_HEADER_BYTES + ready
    const rest = await file.read(payload, ready, length - ready, at)
    if (rest.bytesRead < length - ready) return undefined
  }
  return view.getUint32(8) === checksum(salt, { offset, header, payload }) ? payload : undefined
}

interface ScanResult {
  salt: Uint8Array
  end: number
  cutBytes: number
}

/** One pass over a file that is opened, through a window of it in memory. */
class Scan {
  readonly #path: string
  readonly #file: FileHandle
  #salt = new Uint8Array(SALT_BYTES)
  #fileSize = 0
  #window = Buffer.alloc(0)
  #windowStart = 0

  constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  async run(onRecord: (record: Uint8Array, offset: number) => void): Promise<ScanResult> {
    this.#fileSize = (await this.#file.stat()).size
    const header = await this.#bytes(0, FILE_HEADER_BYTES)
    if (!header || !MAGIC.every((byte, i) => byte === header[i])) throw corrupt(this.#path, 0)
    this.#salt = Uint8Array.from(header.subarray(MAGIC.length))
    let offset = FILE_HEADER_BYTES
    while (offset < this.#fileSize) {
      const record = await this.#record(offset)
      if (!record) break
      onRecord(Uint8Array.from(record.payload), offset)
      offset += RECORD_HEADER_BYTES + record.payload.length
    }
    if (await this.#hasLaterBatch(offset)) throw corrupt(this.#path, offset)
    return { salt: this.#salt, end: offset, cutBytes: this.#fileSize - offset }
  }

  /** Whether an intact record of a batch that began after `damaged` stands anywhere behind it. */
  async #hasLaterBatch(damaged: number): Promise<boolean> {
    for (let offset = damaged + 1; offset < this.#fileSize; offset++) {
      const record = await this.#record(offset)
      if (record && offset - record.distance > damaged) return true
    }
    return false
  }

  async #record(offset: number) {
    const header = await this.#bytes(offset, RECORD_HEADER_BYTES)
    if (!header) return undefined
    const view = viewOf(header)
    const [length, distance, crc] = [view.getUint32(0), view.getUint32(4), view.getUint32(8)]
    if (length === 0 || length > MAX_RECORD_BYTES || distance > offset) return undefined
    const whole = await this.#bytes(offset, RECORD_HEADER_BYTES + length)
    if (!whole) return undefined
    const payload = whole.subarray(RECORD_HEADER_BYTES)
    const intact = crc === checksum(this.#salt, { offset, header, payload })
    return intact ? { payload, distance } : undefined
  }

  /** A view of the file, valid until the next call; `undefined` past its end. */
  async #bytes(offset: number, length: number): Promise<Buffer | undefined> {
    if (offset + length > this.#fileSize) return undefined
    const windowEnd = this.#windowStart + this.#window.length
    if (offset < this.#windowStart || offset + length > windowEnd) {
      const want = Math.min(SCAN_BYTES, this.#fileSize - offset)
      const window = Buffer.alloc(want)
      const { bytesRead } = await this.#file.read(window, 0, want, offset)
      this.#window = window.subarray(0, bytesRead)
      this.#windowStart = offset
      if (bytesRead < length) return undefined
    }
    const start = offset - this.#windowStart
    return this.#window.subarray(start, start + length)
  }
}
