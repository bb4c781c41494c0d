/**
 * Held packets on disk, until they expire (PROTOCOL.md §7): one append-only file for every hour of
 * expiry, an index by arrival in memory. A record is the arrival number (u64) and the packet.
 */
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import {
  headerOf,
  MainframeError,
  minutesNow,
  PACKET_BYTES,
  type PacketHeader,
  readU64,
  viewOf,
  writeU64,
} from '@mainframe/protocol'
import { AppendLog } from '../storage/append-log.ts'
import { diskFailure, isErrno, replaceDurably, syncFolder } from '../storage/durable-file.ts'
import { HoldIndex, type Wish } from './hold-index.ts'

export interface HoldStoreOptions {
  folder: string
  /** Bytes on disk from which new packets are refused. */
  quotaBytes: number
  now?: () => number
}

interface Segment {
  path: string
  /** Hours since the Unix epoch at which everything in it has expired. */
  hour: number
  log: AppendLog
}

interface Pending {
  arrival: number
  packet: Uint8Array
  header: PacketHeader
}

const ARRIVAL_BYTES = 8
const HELD_BYTES = ARRIVAL_BYTES + PACKET_BYTES
const RECORD_BYTES = 12 + HELD_BYTES
/**
 * Arrival numbers are reserved on disk in blocks, so that they rise across restarts even when every
 * file that held the last ones has expired.
 */
const RESERVED_ARRIVALS = 65_536
const EXPIRY_CHECK_MS = 60_000
/**
 * Between writes, each of which costs a sync of the disk: what comes meanwhile shares the next. The
 * first after a while is written at once.
 */
const FLUSH_PAUSE_MS = 10
/** Packets that are in memory too, for subscribers who read as they come: 2 MB. */
const RECENT_LIMIT = 1_024

export class HoldStore {
  readonly #folder: string
  readonly #quotaBytes: number
  readonly #now: () => number
  readonly #segments = new Map<number, Segment>()
  readonly #listeners = new Set<() => void>()
  readonly #index = new HoldIndex()
  /** The newest durable packets by arrival, the oldest of them first. */
  readonly #recent = new Map<number, Uint8Array>()
  #segmentBytes = 0
  #expiring: Promise<void> | undefined
  #pending: Pending[] = []
  #flushing: Promise<void> = Promise.resolve()
  #nextFlush: Promise<void> | undefined
  #lastFlushMs = Number.NEGATIVE_INFINITY
  #closing = false
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
    return this.#index.size + this.#pending.length
  }

  /** Bytes on disk, what is not written yet included. */
  get bytes(): number {
    return this.#segmentBytes + this.pendingBytes
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
    return this.#index.lastArrival
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
    this.#nextFlush ??= this.#flushing.then(async () => {
      await this.#pause()
      this.#flushing = this.#nextFlush ?? Promise.resolve()
      this.#nextFlush = undefined
      return this.#write(this.#pending.splice(0))
    })
    return this.#nextFlush
  }

  async #pause(): Promise<void> {
    const pauseMs = this.#lastFlushMs + FLUSH_PAUSE_MS - performance.now()
    if (pauseMs > 0 && !this.#closing) await sleep(pauseMs)
    else await setImmediate() // the rest of the turn joins
    this.#lastFlushMs = performance.now()
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
    wish: Wish,
    cursor: number,
  ): Promise<{ packet?: Uint8Array; cursor: number; more: boolean }> {
    const now = { nowMinutes: minutesNow(this.#now()), hours: this.#segments }
    const { place, ...look } = this.#index.find(wish, cursor, now)
    if (!place) return look
    const recent = this.#recent.get(place.arrival)
    if (recent) return { ...look, packet: recent }
    const record = await this.#segments.get(place.hour)?.log.read(place.offset)
    return record ? { ...look, packet: record.subarray(ARRIVAL_BYTES) } : look
  }

  /** Removes the files in which everything has expired, and forgets what was in them. */
  expire(): Promise<void> {
    this.#expiring ??= this.#expire().finally(() => {
      this.#expiring = undefined
    })
    return this.#expiring
  }

  async #expire(): Promise<void> {
    const nowHours = minutesNow(this.#now()) / 60
    const expired = [...this.#segments.values()].filter(({ hour }) => hour <= nowHours)
    if (expired.length === 0) return
    for (const { hour, log } of expired) {
      this.#segments.delete(hour)
      this.#segmentBytes -= log.size
    }
    await this.#index.drop(new Set(expired.map(({ hour }) => hour)))
    for (const { log, path } of expired) {
      await log.close().catch(() => {})
      await unlink(path)
    }
  }

  /** Makes everything durable and closes the files. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#closing = true
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
    this.#index.sort()
    this.#nextArrival = Math.max(this.lastArrival + 1, this.#reservedUntil, 1)
    await this.expire()
  }

  async #openSegment(hour: number): Promise<Segment> {
    const path = join(this.#folder, `${hour}.log`)
    const onRecord = (record: Uint8Array, offset: number) => {
      const arrival = readU64(viewOf(record), 0)
      const header = headerOf(record.subarray(ARRIVAL_BYTES))
      if (arrival === undefined || header === 'malformed') return
      this.#index.push({ arrival, hour, offset }, header)
    }
    const log = await AppendLog.open(path, onRecord, { maxRecordBytes: HELD_BYTES })
    const segment = { path, hour, log }
    this.#segmentBytes += log.size
    this.#segments.set(hour, segment)
    return segment
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const last = batch.at(-1)?.arrival ?? 0
    if (last >= this.#reservedUntil) await this.#reserve(last + RESERVED_ARRIVALS)
    const written: { pending: Pending; hour: number; offset: number }[] = []
    const touched = new Set<AppendLog>()
    for (const pending of batch) {
      const hour = Math.ceil(pending.header.expiryMinutes / 60)
      const { log } = this.#segments.get(hour) ?? (await this.#openSegment(hour))
      const record = new Uint8Array(ARRIVAL_BYTES + PACKET_BYTES)
      writeU64(viewOf(record), 0, pending.arrival)
      record.set(pending.packet, ARRIVAL_BYTES)
      written.push({ pending, hour, offset: log.append(record) })
      this.#segmentBytes += RECORD_BYTES
      touched.add(log)
    }
    await Promise.all([...touched].map((log) => log.flush()))
    for (const { pending, hour, offset } of written) {
      const { arrival, packet, header } = pending
      this.#index.push({ arrival, hour, offset }, header)
      this.#remember(arrival, packet)
    }
    for (const listener of this.#listeners) listener()
  }

  #remember(arrival: number, packet: Uint8Array): void {
    this.#recent.set(arrival, packet)
    if (this.#recent.size <= RECENT_LIMIT) return
    for (const oldest of this.#recent.keys()) {
      this.#recent.delete(oldest)
      return
    }
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
}
