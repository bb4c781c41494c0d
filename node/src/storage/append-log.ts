/**
 * An append-only file of records: what vouchers, signed amounts and held packets are kept in. Its
 * bytes are those of `log-form.ts`.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { MainframeError } from '@mainframe/protocol'
import { createDurably, diskFailure } from './durable-file.ts'
import {
  corrupt,
  isIntact,
  MAX_RECORD_BYTES,
  newFileHeader,
  RECORD_HEADER_BYTES,
  readRecordHeader,
  recordHeader,
} from './log-form.ts'
import { LogScan, type Scanned } from './log-scan.ts'

/** One read usually gets a held packet with its header. */
const READ_BYTES = 4096

export interface AppendLogOptions {
  /**
   * The longest record, {@link MAX_RECORD_BYTES} unless told otherwise. Behind a torn record every
   * byte may begin one, so what peers make us store would make a scan slow, the more the longer.
   */
  maxRecordBytes?: number
}

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
  readonly #maxRecordBytes: number
  /** End of the file, what is only in memory included. */
  #size: number
  #batch: Batch | undefined
  #writing: Batch | undefined
  /** Records that are not in the file yet, by offset. */
  readonly #unwritten = new Map<number, Uint8Array>()
  #failure: MainframeError | undefined

  private constructor(
    path: string,
    file: FileHandle,
    { salt, end, tornBytes, maxRecordBytes }: Scanned & Required<AppendLogOptions>,
  ) {
    this.path = path
    this.#file = file
    this.#salt = salt
    this.#maxRecordBytes = maxRecordBytes
    this.#size = end
    this.cutBytes = tornBytes
  }

  /**
   * Opens or creates a log and hands over every record in order; each is a copy. Throws
   * `STORE_CORRUPT` with the way out, `STORE_FAILED` when the disk refuses.
   */
  static async open(
    path: string,
    onRecord: (record: Uint8Array, offset: number) => void,
    { maxRecordBytes = MAX_RECORD_BYTES }: AppendLogOptions = {},
  ): Promise<AppendLog> {
    try {
      await createDurably(path, newFileHeader())
      const file = await open(path, 'r+')
      try {
        const scanned = await new LogScan(path, file, maxRecordBytes).run(onRecord)
        if (scanned.tornBytes > 0) {
          await file.truncate(scanned.end)
          await file.sync()
        }
        return new AppendLog(path, file, { ...scanned, maxRecordBytes })
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
    const most = this.#maxRecordBytes
    if (record.length === 0 || record.length > most) {
      throw new MainframeError('VALIDATION_FAILED', `A record has 1 to ${most} bytes`)
    }
    const offset = this.#size
    this.#batch ??= { start: offset, parts: [], bytes: 0, done: Promise.withResolvers() }
    const place = { offset, payload: record, batchStart: this.#batch.start }
    const header = recordHeader(this.#salt, place)
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

/** The record at `offset`, or `undefined` when none is intact there. */
async function readRecord(file: FileHandle, salt: Uint8Array, offset: number) {
  const first = Buffer.alloc(READ_BYTES)
  const { bytesRead } = await file.read(first, 0, READ_BYTES, offset)
  if (bytesRead < RECORD_HEADER_BYTES) return undefined
  const header = first.subarray(0, RECORD_HEADER_BYTES)
  const { length } = readRecordHeader(header, 0)
  if (length === 0 || length > MAX_RECORD_BYTES) return undefined
  const payload = new Uint8Array(length)
  const ready = Math.min(length, bytesRead - RECORD_HEADER_BYTES)
  payload.set(first.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + ready))
  if (ready < length) {
    const at = offset + RECORD_HEADER_BYTES + ready
    const rest = await file.read(payload, ready, length - ready, at)
    if (rest.bytesRead < length - ready) return undefined
  }
  return isIntact(salt, header, { offset, payload }) ? payload : undefined
}
