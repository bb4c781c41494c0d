/**
 * Held packets on disk, until they expire (PROTOCOL.md §7): one append-only file for every hour of
 * expiry, an index by arrival in memory. A record is the arrival number (u64) and the packet.
 */
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import {
  headerOf,
  MainframeError,
  minutesNow,
  PACKET_BYTES,
  type PacketHeader,
  readU64,
  sharedBits,
  viewOf,
  writeU64,
} from '@mainframe/protocol'
import { AppendLog } from '../storage/append-log.ts'
import { diskFailure, isErrno, replaceDurably, syncFolder } from '../storage/durable-file.ts'

export interface HoldStoreOptions {
  folder: string
  /** Bytes on disk from which new packets are refused. */
  quotaBytes: number
  now?: () => number
}

/** Which packets are wanted: those whose disclosed bits agree with these. */
export interface Wish {
  prefix: Uint8Array
  bits: number
}

interface Segment {
  path: string
  /** Hours since the Unix epoch at which everything in it has expired. */
  hour: number
  log: AppendLog
  gone: boolean
}

/** A held packet; the arrival number is the cursor that resumes after it. */
interface Held {
  arrival: number
  segment: Segment
  offset: number
  expiryMinutes: number
  luminosity: number
  /** The first 16 bytes of the disclosed address: as many as a luminosity can disclose. */
  prefix: Uint8Array
}

interface Pending {
  arrival: number
  packet: Uint8Array
  header: PacketHeader
}

const ARRIVAL_BYTES = 8
const PREFIX_BYTES = 16
const RECORD_BYTES = 12 + ARRIVAL_BYTES + PACKET_BYTES
/**
 * Arrival numbers are reserved on disk in blocks, so that they rise across restarts even when every
 * file that held the last ones has expired.
 */
const RESERVED_ARRIVALS = 65_536
const EXPIRY_CHECK_MS = 60_000
/** Index entries that one look passes over at most, so that no wish holds up the others. */
const SCAN_LIMIT = 4_096

export class HoldStore {
  readonly #folder: string
  readonly #quotaBytes: number
  readonly #now: () => number
  readonly #segments = new Map<number, Segment>()
  readonly #listeners = new Set<() => void>()
  /** Ascending by arrival. */
  #index: Held[] = []
  #pending: Pending[] = []
  #flushing: Promise<void> = Promise.resolve()
  #nextFlush: Promise<void> | undefined
  #nextArrival = 1
  #reservedUntil = 0
  #timer: NodeJS.Timeout | undefined

  private constructor({ folder, quotaBytes, now = Date.now }: HoldStoreOptions) {
    this.#folder = folder
    this.#quotaBytes = quotaBytes
    this.#now = now
  }

  /** Opens or creates a store. Throws `STORE_CORRUPT` with the way out, `STORE_FAILED`. */
  static async open(options: HoldStoreOptions): Promise<HoldStore> {
    const store = new HoldStore(options)
    await store.#load()
    store.#timer = setInterval(() => void store.expire().catch(() => {}), EXPIRY_CHECK_MS)
    store.#timer.unref()
    return store
  }

  /** Packets that are held. */
  get count(): number {
    return this.#index.length + this.#pending.length
  }

  /** Bytes on disk, what is not written yet included. */
  get bytes(): number {
    let bytes = this.pendingBytes
    for (const { log } of this.#segments.values()) bytes += log.size
    return bytes
  }

  get hasRoom(): boolean {
    return this.bytes + RECORD_BYTES <= this.#quotaBytes
  }

  /** Bytes that {@link flush} would write; whoever appends waits for it past some amount. */
  get pendingBytes(): number {
    return this.#pending.length * RECORD_BYTES
  }

  /** The last arrival that is durable, 0 for none. */
  get lastArrival(): number {
    return this.#index.at(-1)?.arrival ?? 0
  }

  /** The highest cursor that this store may ever have given. */
  get highestCursor(): number {
    return this.#nextArrival - 1
  }

  /** Takes a packet; it is held once {@link flush} resolves. */
  append(packet: Uint8Array, header: PacketHeader): void {
    this.#pending.push({ arrival: this.#nextArrival, packet, header })
    this.#nextArrival += 1
  }

  /** Resolves when everything appended so far is on disk; concurrent callers share one write. */
  flush(): Promise<void> {
    if (this.#pending.length === 0) return this.#flushing
    this.#nextFlush ??= this.#flushing.then(() => {
      this.#flushing = this.#nextFlush ?? Promise.resolve()
      this.#nextFlush = undefined
      return this.#write(this.#pending.splice(0))
    })
    return this.#nextFlush
  }

  /** Calls back after packets became durable; returns how to stop that. */
  onHeld(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * The first held packet after a cursor that fits a wish, and the cursor up to which was looked.
   * Without a packet and with `more`, look again from there in another turn.
   */
  async next(
    { prefix, bits }: Wish,
    cursor: number,
  ): Promise<{ packet?: Uint8Array; cursor: number; more: boolean }> {
    const nowMinutes = minutesNow(this.#now())
    const start = this.#after(cursor)
    const end = Math.min(start + SCAN_LIMIT, this.#index.length)
    for (let i = start; i < end; i++) {
      const held = this.#index[i]
      if (!held || held.segment.gone || held.expiryMinutes <= nowMinutes) continue
      const agreed = Math.min(bits, held.luminosity)
      if (agreed > 0 && sharedPrefixBits(held.prefix, prefix) < agreed) continue
      return { packet: await readHeld(held), cursor: held.arrival, more: true }
    }
    const passed = this.#index[end - 1]?.arrival ?? 0
    return { cursor: Math.max(cursor, passed), more: end < this.#index.length }
  }

  /** Removes the files in which everything has expired. */
  async expire(): Promise<void> {
    const nowHours = minutesNow(this.#now()) / 60
    const expired = [...this.#segments.values()].filter(({ hour }) => hour <= nowHours)
    if (expired.length === 0) return
    for (const segment of expired) {
      segment.gone = true
      this.#segments.delete(segment.hour)
    }
    this.#index = this.#index.filter(({ segment }) => !segment.gone)
    for (const { log, path } of expired) {
      await log.close().catch(() => {})
      await unlink(path)
    }
  }

  /** Makes everything durable and closes the files. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    try {
      await this.flush()
      await this.#reserve(this.#nextArrival)
    } finally {
      for (const { log } of this.#segments.values()) await log.close().catch(() => {})
    }
  }

  async #load(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      this.#reservedUntil = await this.#readReserved()
      for (const name of await readdir(this.#folder)) {
        const hour = /^(\d+)\.log$/.exec(name)?.[1]
        if (hour) await this.#openSegment(Number(hour))
      }
    } catch (cause) {
      throw cause instanceof MainframeError ? cause : diskFailure(this.#folder, cause)
    }
    this.#index.sort((a, b) => a.arrival - b.arrival)
    this.#nextArrival = Math.max(this.lastArrival + 1, this.#reservedUntil, 1)
    await this.expire()
  }

  async #openSegment(hour: number): Promise<Segment> {
    const path = join(this.#folder, `${hour}.log`)
    const found: { record: Uint8Array; offset: number }[] = []
    const log = await AppendLog.open(path, (record, offset) => {
      found.push({ record: record.slice(0, ARRIVAL_BYTES + 64), offset })
    })
    const segment = { path, hour, log, gone: false }
    for (const { record, offset } of found) {
      const arrival = readU64(viewOf(record), 0)
      const header = headerOf(record.subarray(ARRIVAL_BYTES))
      if (arrival === undefined || header === 'malformed') continue
      this.#index.push(entryOf({ arrival, header, segment, offset }))
    }
    this.#segments.set(hour, segment)
    return segment
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const last = batch.at(-1)?.arrival ?? 0
    if (last >= this.#reservedUntil) await this.#reserve(last + RESERVED_ARRIVALS)
    const entries: Held[] = []
    const touched = new Set<AppendLog>()
    for (const { arrival, packet, header } of batch) {
      const hour = Math.ceil(header.expiryMinutes / 60)
      const segment = this.#segments.get(hour) ?? (await this.#openSegment(hour))
      const record = new Uint8Array(ARRIVAL_BYTES + PACKET_BYTES)
      writeU64(viewOf(record), 0, arrival)
      record.set(packet, ARRIVAL_BYTES)
      entries.push(entryOf({ arrival, header, segment, offset: segment.log.append(record) }))
      touched.add(segment.log)
    }
    await Promise.all([...touched].map((log) => log.flush()))
    this.#index.push(...entries)
    for (const listener of this.#listeners) listener()
  }

  async #readReserved(): Promise<number> {
    const path = join(this.#folder, 'arrivals')
    try {
      const reserved = Number(await readFile(path, 'utf8'))
      if (Number.isSafeInteger(reserved) && reserved > 0) return reserved
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return 0
      throw cause
    }
    throw new MainframeError(
      'STORE_CORRUPT',
      `${path} holds no number: write one that is higher than any arrival before into it`,
      { details: { path } },
    )
  }

  async #reserve(until: number): Promise<void> {
    await replaceDurably(join(this.#folder, 'arrivals'), Buffer.from(`${until}\n`))
    await syncFolder(this.#folder)
    this.#reservedUntil = until
  }

  /** Position in the index of the first arrival after a cursor. */
  #after(cursor: number): number {
    let [low, high] = [0, this.#index.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#index[middle]?.arrival ?? 0) <= cursor) low = middle + 1
      else high = middle
    }
    return low
  }
}

function entryOf(at: {
  arrival: number
  header: PacketHeader
  segment: Segment
  offset: number
}): Held {
  const { arrival, header, segment, offset } = at
  const { expiryMinutes, luminosity } = header
  const prefix = header.address.slice(0, PREFIX_BYTES)
  return { arrival, segment, offset, expiryMinutes, luminosity, prefix }
}

async function readHeld({ segment, offset }: Held): Promise<Uint8Array> {
  return (await segment.log.read(offset)).subarray(ARRIVAL_BYTES)
}

/** `sharedBits` of two 32-byte addresses of which one is known to 16 bytes. */
function sharedPrefixBits(known: Uint8Array, address: Uint8Array): number {
  const padded = new Uint8Array(address.length)
  padded.set(known)
  return sharedBits(padded, address)
}
