/**
 * Where each held packet stands and what it is for, by arrival: 42 bytes a packet in typed arrays, in
 * chunks, so that millions fit and removing some never takes a long turn of the event loop.
 */
import { setImmediate } from 'node:timers/promises'
import type { PacketHeader } from '@mainframe/protocol'

/** Which packets are wanted: those whose disclosed bits agree with these. */
export interface Wish {
  prefix: Uint8Array
  bits: number
}

/** A held packet's place; the arrival number is the cursor that resumes after it. */
export interface Place {
  arrival: number
  /** Hours since the Unix epoch: which file it is in. */
  hour: number
  /** Byte in that file. */
  offset: number
}

/** What a look found, and the cursor up to which was looked; with `more`, look again from there. */
export interface Look {
  place?: Place
  cursor: number
  more: boolean
}

const CHUNK_ENTRIES = 1_024
/** As many bytes as a luminosity can disclose. */
const PREFIX_BYTES = 16
/** Entries that one look passes over at most, so that no wish holds up the others. */
const SCAN_LIMIT = 4_096

interface Chunk {
  count: number
  arrivals: Float64Array
  offsets: Float64Array
  hours: Uint32Array
  expiryMinutes: Uint32Array
  luminosities: Uint8Array
  prefixes: Uint8Array
}

export class HoldIndex {
  #chunks: Chunk[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The highest arrival, 0 for none. */
  get lastArrival(): number {
    const last = this.#chunks.at(-1)
    return last?.arrivals[last.count - 1] ?? 0
  }

  /** Adds a packet; arrivals rise, or {@link sort} follows. */
  push(
    { arrival, hour, offset }: Place,
    { expiryMinutes, luminosity, address }: PacketHeader,
  ): void {
    let chunk = this.#chunks.at(-1)
    if (!chunk || chunk.count === CHUNK_ENTRIES) {
      chunk = createChunk()
      this.#chunks.push(chunk)
    }
    const i = chunk.count
    chunk.arrivals[i] = arrival
    chunk.offsets[i] = offset
    chunk.hours[i] = hour
    chunk.expiryMinutes[i] = expiryMinutes
    chunk.luminosities[i] = luminosity
    chunk.prefixes.set(address.subarray(0, PREFIX_BYTES), i * PREFIX_BYTES)
    chunk.count += 1
    this.#size += 1
  }

  /** Brings everything into the order of arrival: the files of a restart are read one by one. */
  sort(): void {
    const chunks = this.#chunks
    const order = new Uint32Array(this.#size)
    const arrivals = new Float64Array(this.#size)
    let at = 0
    for (const [c, { count, arrivals: own }] of chunks.entries()) {
      for (let i = 0; i < count; i++) {
        order[at] = c * CHUNK_ENTRIES + i
        arrivals[c * CHUNK_ENTRIES + i] = own[i] ?? 0
        at += 1
      }
    }
    order.sort((a, b) => (arrivals[a] ?? 0) - (arrivals[b] ?? 0))
    const sorted: Chunk[] = []
    for (const [n, from] of order.entries()) {
      const source = chunks[Math.floor(from / CHUNK_ENTRIES)]
      const target = sorted[Math.floor(n / CHUNK_ENTRIES)] ?? createChunk()
      if (target.count === 0) sorted.push(target)
      if (source) move(source, from % CHUNK_ENTRIES, target, target.count)
      target.count += 1
    }
    this.#chunks = sorted
  }

  /** The first packet after a cursor that fits a wish, has not expired and is in a file that is there. */
  find(
    wish: Wish,
    cursor: number,
    { nowMinutes, hours }: { nowMinutes: number; hours: { has(hour: number): boolean } },
  ): Look {
    let left = SCAN_LIMIT
    let passed = cursor
    for (let c = this.#chunkAfter(cursor); c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c]
      if (!chunk) break
      for (let i = entryAfter(chunk, passed); i < chunk.count; i++) {
        if (left === 0) return { cursor: passed, more: true }
        left -= 1
        passed = chunk.arrivals[i] ?? passed
        if ((chunk.expiryMinutes[i] ?? 0) <= nowMinutes || !fits(chunk, i, wish)) continue
        const hour = chunk.hours[i] ?? 0
        if (!hours.has(hour)) continue
        const place = { arrival: passed, hour, offset: chunk.offsets[i] ?? 0 }
        return { place, cursor: passed, more: true }
      }
    }
    return { cursor: passed, more: false }
  }

  /** Forgets the packets of files that are gone, a chunk a turn. */
  async drop(hours: ReadonlySet<number>): Promise<void> {
    for (let c = 0; c < this.#chunks.length; ) {
      const chunk = this.#chunks[c]
      if (chunk) this.#size -= compact(chunk, hours)
      if (chunk?.count === 0) this.#chunks.splice(c, 1)
      else c += 1
      await setImmediate()
    }
  }

  /** The first chunk that ends after a cursor. */
  #chunkAfter(cursor: number): number {
    let [low, high] = [0, this.#chunks.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const chunk = this.#chunks[middle]
      if ((chunk?.arrivals[chunk.count - 1] ?? 0) <= cursor) low = middle + 1
      else high = middle
    }
    return low
  }
}

function createChunk(): Chunk {
  return {
    count: 0,
    arrivals: new Float64Array(CHUNK_ENTRIES),
    offsets: new Float64Array(CHUNK_ENTRIES),
    hours: new Uint32Array(CHUNK_ENTRIES),
    expiryMinutes: new Uint32Array(CHUNK_ENTRIES),
    luminosities: new Uint8Array(CHUNK_ENTRIES),
    prefixes: new Uint8Array(CHUNK_ENTRIES * PREFIX_BYTES),
  }
}

/** The first entry of a chunk after a cursor. */
function entryAfter({ arrivals, count }: Chunk, cursor: number): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((arrivals[middle] ?? 0) <= cursor) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether what an entry and a wish disclose agrees as far as both go. */
function fits({ luminosities, prefixes }: Chunk, i: number, { prefix, bits }: Wish): boolean {
  const agreed = Math.min(bits, luminosities[i] ?? 0)
  const start = i * PREFIX_BYTES
  const whole = agreed >> 3
  for (let b = 0; b < whole; b++) if (prefixes[start + b] !== prefix[b]) return false
  const rest = agreed & 7
  if (rest === 0) return true
  const difference = (prefixes[start + whole] ?? 0) ^ (prefix[whole] ?? 0)
  return difference >> (8 - rest) === 0
}

/** Removes the entries of these files; how many there were. */
function compact(chunk: Chunk, hours: ReadonlySet<number>): number {
  const before = chunk.count
  let kept = 0
  for (let i = 0; i < before; i++) {
    if (hours.has(chunk.hours[i] ?? 0)) continue
    if (kept < i) move(chunk, i, chunk, kept)
    kept += 1
  }
  chunk.count = kept
  return before - kept
}

function move(source: Chunk, from: number, target: Chunk, to: number): void {
  target.arrivals[to] = source.arrivals[from] ?? 0
  target.offsets[to] = source.offsets[from] ?? 0
  target.hours[to] = source.hours[from] ?? 0
  target.expiryMinutes[to] = source.expiryMinutes[from] ?? 0
  target.luminosities[to] = source.luminosities[from] ?? 0
  const start = from * PREFIX_BYTES
  target.prefixes.set(source.prefixes.subarray(start, start + PREFIX_BYTES), to * PREFIX_BYTES)
}
