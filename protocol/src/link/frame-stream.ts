/**
 * Frames over a byte stream. {@link ByteStream} is the part of a libp2p stream that is needed, so
 * that relay and client share this code without the protocol importing a network library.
 */
import { concatBytes } from '../bytes.ts'
import { decodeFrame, FRAME_BYTES, type Frame, type FrameFields, writeFrame } from '../frame.ts'

/** A duplex stream as libp2p 3 has it. */
export interface ByteStream extends AsyncIterable<Uint8Array | { subarray(): Uint8Array }> {
  /** False when the buffer is full: wait for {@link onDrain} before the next call. */
  send(bytes: Uint8Array): boolean
  onDrain(options?: { signal?: AbortSignal }): Promise<void>
  close(): Promise<void>
  abort(reason: Error): void
}

/**
 * Frames in one write: as many as fit one Noise message (65,519 bytes) with Yamux's head, so that no
 * small rest is encrypted and sent by itself.
 */
const FRAMES_PER_WRITE = 31

/** Writes frames, many to a write, and says when it is behind. One per stream. */
export class FrameWriter {
  readonly #stream: ByteStream
  readonly #refill: () => void
  /** Whole writes. */
  #full: Uint8Array[] = []
  /** The write that is being filled, and how many frames are in it. */
  #open = new Uint8Array(0)
  #openFrames = 0
  #flushing: Promise<void> | undefined
  #closed = false

  /** `refill` is asked for more frames whenever few wait and the stream would take them. */
  constructor(stream: ByteStream, refill: () => void = () => {}) {
    this.#stream = stream
    this.#refill = refill
  }

  /** Frames that wait for the peer; callers bound what they add by it. */
  get waiting(): number {
    return this.#full.length * FRAMES_PER_WRITE + this.#openFrames
  }

  /**
   * Takes a frame, encoded or to be encoded in place; everything written in one turn of the event
   * loop leaves together. Throws `VALIDATION_FAILED` as `encodeFrame`.
   */
  write(frame: FrameFields | Uint8Array): void {
    if (this.#closed) return
    if (this.#open.length === 0) this.#open = new Uint8Array(FRAMES_PER_WRITE * FRAME_BYTES)
    const start = this.#openFrames * FRAME_BYTES
    const place = this.#open.subarray(start, start + FRAME_BYTES)
    if (frame instanceof Uint8Array) place.set(frame)
    else writeFrame(frame, place)
    this.#openFrames += 1
    if (this.#openFrames === FRAMES_PER_WRITE) {
      this.#full.push(this.#open)
      this.#open = new Uint8Array(0)
      this.#openFrames = 0
    }
    this.#flushing ??= this.#flush()
  }

  /** Resolves when nothing waits, or the stream has failed. */
  async idle(): Promise<void> {
    await this.#flushing
  }

  /** Drops what waits; later writes are ignored. */
  close(): void {
    this.#closed = true
    this.#full = []
    this.#openFrames = 0
  }

  async #flush(): Promise<void> {
    await nextTurn()
    try {
      for (;;) {
        if (this.#full.length === 0) this.#refill()
        const bytes = this.#full.shift() ?? this.#takeOpen()
        if (!bytes) break
        if (!this.#stream.send(bytes)) await this.#stream.onDrain()
      }
    } catch {
      this.close() // the reader of the same stream sees the failure and ends the link
    } finally {
      this.#flushing = undefined
    }
  }

  /** A copy of what does not fill a write, so that its buffer serves again. */
  #takeOpen(): Uint8Array | undefined {
    if (this.#openFrames === 0) return undefined
    const bytes = this.#open.slice(0, this.#openFrames * FRAME_BYTES)
    this.#openFrames = 0
    return bytes
  }
}

/**
 * The frames of a stream, in batches as they arrive. Ends when the stream ends; a frame that does
 * not decode, or half a frame at the end, is yielded as `undefined`, after which nothing follows.
 */
export async function* readFrames(
  stream: ByteStream,
): AsyncGenerator<readonly (Frame | undefined)[], void, void> {
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of stream) {
    const bytes = chunk instanceof Uint8Array ? chunk : chunk.subarray()
    const all = rest.length === 0 ? bytes : concatBytes(rest, bytes)
    const frames: (Frame | undefined)[] = []
    let offset = 0
    for (; offset + FRAME_BYTES <= all.length; offset += FRAME_BYTES) {
      // A copy each: one packet that waits somewhere must not keep the whole chunk in memory.
      const frame = decodeFrame(copyOf(all, offset, offset + FRAME_BYTES))
      frames.push(frame)
      if (!frame) break
    }
    if (frames.length > 0) yield frames
    if (frames.at(-1) === undefined && frames.length > 0) return
    rest = copyOf(all, offset, all.length)
  }
  if (rest.length > 0) yield [undefined]
}

/** Chunks may be Node's Buffers, whose `slice` is a view. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end))
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
