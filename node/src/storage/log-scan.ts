/** One pass over an append-only file that is opened: its records, and where a crash tore it. */
import type { FileHandle } from 'node:fs/promises'
import {
  corrupt,
  FILE_HEADER_BYTES,
  isIntact,
  RECORD_HEADER_BYTES,
  readRecordHeader,
  saltOf,
  unreadable,
} from './log-form.ts'

/** What one read of the file takes in. */
const SCAN_BYTES = 4 << 20

export interface Scanned {
  salt: Uint8Array
  /** Where the next record will stand. */
  end: number
  /** Bytes behind it of a batch that a crash tore. */
  tornBytes: number
}

/** Reads through a window of the file in memory. */
export class LogScan {
  readonly #path: string
  readonly #file: FileHandle
  readonly #maxRecordBytes: number
  #salt: Uint8Array = new Uint8Array(0)
  #fileSize = 0
  #window = Buffer.alloc(0)
  #windowStart = 0

  constructor(path: string, file: FileHandle, maxRecordBytes: number) {
    this.#path = path
    this.#file = file
    this.#maxRecordBytes = maxRecordBytes
  }

  /** Hands over every record in order, each a copy. Throws `STORE_CORRUPT` with the way out. */
  async run(onRecord: (record: Uint8Array, offset: number) => void): Promise<Scanned> {
    this.#fileSize = (await this.#file.stat()).size
    const salt = saltOf(await this.#bytes(0, FILE_HEADER_BYTES))
    if (!salt) throw unreadable(this.#path)
    this.#salt = salt
    let offset = FILE_HEADER_BYTES
    while (offset < this.#fileSize) {
      const payload = await this.#record(offset, FILE_HEADER_BYTES)
      if (!payload) break
      onRecord(Uint8Array.from(payload), offset)
      offset += RECORD_HEADER_BYTES + payload.length
    }
    if (await this.#hasLaterBatch(offset)) throw corrupt(this.#path, offset)
    return { salt, end: offset, tornBytes: this.#fileSize - offset }
  }

  /** Whether an intact record of a batch that began after `damaged` stands anywhere behind it. */
  async #hasLaterBatch(damaged: number): Promise<boolean> {
    const lastOffset = this.#fileSize - RECORD_HEADER_BYTES
    for (let offset = damaged + 1; offset <= lastOffset; offset++) {
      if (!this.#isInWindow(offset, RECORD_HEADER_BYTES)) await this.#moveWindow(offset)
      if (!this.#lengthAt(offset, damaged + 1)) continue
      if (await this.#record(offset, damaged + 1)) return true
    }
    return false
  }

  /** The record at `offset`, if it is intact and its batch began at `earliest` or later. */
  async #record(offset: number, earliest: number): Promise<Buffer | undefined> {
    if (!(await this.#bytes(offset, RECORD_HEADER_BYTES))) return undefined
    const length = this.#lengthAt(offset, earliest)
    const whole = length && (await this.#bytes(offset, RECORD_HEADER_BYTES + length))
    if (!whole) return undefined
    const header = whole.subarray(0, RECORD_HEADER_BYTES)
    const payload = whole.subarray(RECORD_HEADER_BYTES)
    return isIntact(this.#salt, header, { offset, payload }) ? payload : undefined
  }

  /**
   * What the head at `offset`, in the window, says of the length; `undefined` when it is none. Asked
   * before the checksum: behind a torn record what peers made us store may look like many heads.
   */
  #lengthAt(offset: number, earliest: number): number | undefined {
    const start = offset - this.#windowStart
    const { length, distance } = readRecordHeader(this.#window, start)
    const isRecord = length > 0 && length <= this.#maxRecordBytes && offset - distance >= earliest
    return isRecord ? length : undefined
  }

  /** A view of the file, valid until the next call; `undefined` past its end. */
  async #bytes(offset: number, length: number): Promise<Buffer | undefined> {
    if (offset + length > this.#fileSize) return undefined
    if (!this.#isInWindow(offset, length)) await this.#moveWindow(offset)
    const start = offset - this.#windowStart
    const view = this.#window.subarray(start, start + length)
    return view.length === length ? view : undefined
  }

  #isInWindow(offset: number, length: number): boolean {
    const end = this.#windowStart + this.#window.length
    return offset >= this.#windowStart && offset + length <= end
  }

  async #moveWindow(offset: number): Promise<void> {
    const want = Math.min(SCAN_BYTES, this.#fileSize - offset)
    const window = Buffer.alloc(want)
    const { bytesRead } = await this.#file.read(window, 0, want, offset)
    this.#window = window.subarray(0, bytesRead)
    this.#windowStart = offset
  }
}
