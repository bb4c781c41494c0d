/** What was seen lately, bounded and in time buckets (PROTOCOL.md §2, step 5). */
import { MainframeError, viewOf } from '@mainframe/protocol'

/** Longer than any FORWARD is accepted ahead (32 minutes), so that none can be replayed. */
export const SEEN_LIFE_MS = 35 * 60_000
/** Whole buckets are dropped; an entry lives up to this much longer. */
const BUCKET_MS = 5 * 60_000

interface Bucket {
  /** Milliseconds since the Unix epoch from which it is forgotten. */
  until: number
  levels: Map<string, number>
}

export interface SeenOptions {
  /** Entries that are remembered at most; about 100 bytes each. */
  capacity: number
  /** Bytes of every key. */
  keyBytes: number
}

/**
 * Keys with the lowest level at which each was seen. Nothing is evicted before its time: when it is
 * full, the caller refuses, since an eviction would let an attacker replay what he pushed out.
 */
export class SeenMemory {
  readonly #capacity: number
  readonly #keyBytes: number
  #buckets: Bucket[] = []
  #size = 0

  constructor({ capacity, keyBytes }: SeenOptions) {
    this.#capacity = capacity
    this.#keyBytes = keyBytes
  }

  get size(): number {
    return this.#size
  }

  /** The lowest level at which a key was seen; `undefined` for never. */
  levelOf(key: Uint8Array, nowMs: number): number | undefined {
    this.#expire(nowMs)
    const text = textOf(key)
    for (let i = this.#buckets.length - 1; i >= 0; i--) {
      const level = this.#buckets[i]?.levels.get(text)
      if (level !== undefined) return level
    }
    return undefined
  }

  isFull(nowMs: number): boolean {
    this.#expire(nowMs)
    return this.#size >= this.#capacity
  }

  /** Remembers a key from now on, at this level. */
  note(key: Uint8Array, level: number, nowMs: number): void {
    const text = textOf(key)
    for (const bucket of this.#buckets) if (bucket.levels.delete(text)) this.#size -= 1
    this.#bucketAt(nowMs).levels.set(text, level)
    this.#size += 1
  }

  /** Everything remembered, in pieces of at most `pieceBytes`; read by {@link restore}. */
  *save(pieceBytes: number): Generator<Uint8Array> {
    const entryBytes = this.#keyBytes + 2
    const most = Math.floor((pieceBytes - 8) / entryBytes)
    for (const { until, levels } of this.#buckets) {
      const entries = [...levels]
      for (let start = 0; start < entries.length; start += most) {
        yield encodePiece(until, entries.slice(start, start + most), this.#keyBytes)
      }
    }
  }

  /** Takes a piece that {@link save} gave. Throws `CODEC_INVALID`. */
  restore(piece: Uint8Array): void {
    const entryBytes = this.#keyBytes + 2
    if (piece.length < 8 || (piece.length - 8) % entryBytes !== 0) {
      throw new MainframeError('CODEC_INVALID', 'Not a piece of a saved memory')
    }
    const view = viewOf(piece)
    const until = view.getFloat64(0)
    const bucket = { until, levels: new Map<string, number>() }
    for (let at = 8; at < piece.length; at += entryBytes) {
      const key = textOf(piece.subarray(at, at + this.#keyBytes))
      bucket.levels.set(key, view.getUint16(at + this.#keyBytes))
    }
    this.#buckets.push(bucket)
    this.#buckets.sort((a, b) => a.until - b.until)
    this.#size += bucket.levels.size
  }

  #bucketAt(nowMs: number): Bucket {
    const until = (Math.floor(nowMs / BUCKET_MS) + 1) * BUCKET_MS + SEEN_LIFE_MS
    const last = this.#buckets.at(-1)
    // A clock that was set back must not shorten what is remembered.
    if (last && last.until >= until) return last
    const bucket = { until, levels: new Map<string, number>() }
    this.#buckets.push(bucket)
    return bucket
  }

  #expire(nowMs: number): void {
    for (let first = this.#buckets[0]; first && first.until <= nowMs; first = this.#buckets[0]) {
      this.#size -= first.levels.size
      this.#buckets.shift()
    }
  }
}

/** Strings of one-byte characters are the quickest keys that a Map takes. */
function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function encodePiece(until: number, entries: [string, number][], keyBytes: number): Uint8Array {
  const piece = Buffer.alloc(8 + entries.length * (keyBytes + 2))
  piece.writeDoubleBE(until, 0)
  entries.forEach(([key, level], i) => {
    const at = 8 + i * (keyBytes + 2)
    piece.write(key, at, 'latin1')
    piece.writeUInt16BE(level, at + keyBytes)
  })
  return piece
}
