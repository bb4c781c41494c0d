/**
 * Frames over a byte stream. {@link ByteStream} is the part of a libp2p stream that is needed, so
 * that relay and client share this code without the protocol importing a network library.
 */
import { concatBytes } from '../bytes.ts'
import { decodeFrame, FRAME_BYTES, type Frame } from '../frame.ts'

/** A duplex stream as libp2p 3 has it. */
export interface ByteStream extends AsyncIterable<Uint8Array | { subarray(): Uint8Array }> {
  /** False when the buffer is full: wait for {@link onDrain} before the next call. */
  send(bytes: Uint8Array): boolean
  onDrain(options?: { signal?: AbortSignal }): Promise<void>
  close(): Promise<void>
  abort(reason: Error): void
}

/** Frames in one write; past this a larger write gains little (measured: 88k against 110k a second). */
const FRAMES_PER_WRITE = 32

/** Writes frames, many to a write, and says when it is behind. One per stream. */
export class FrameWriter {
  readonly #stream: ByteStream
  readonly #refill: () => void
  #queue: Uint8Array[] = []
  #flushing: Promise<void> | undefined
  #closed = false

  /** `refill` is asked for more frames whenever few wait and the stream would take them. */
  constructor(stream: ByteStream, refill: () => void = () => {}) {
    this.#stream = stream
    this.#refill = refill
  }

  /** Frames that wait for the peer; callers bound what they add by it. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Queues an encoded frame; everything queued in one turn of the event loop leaves together. */
  write(frame: Uint8Array): void {
    if (this.#closed) return
    this.#queue.push(frame)
    this.#flushing ??= this.#flush()
  }

  /** Resolves when nothing waits, or the stream has failed. */
  async idle(): Promise<void> {
    await this.#flushing
  }

  /** Drops what waits; later writes are ignored. */
  close(): void {
    this.#closed = true
    this.#queue = []
  }

  async #flush(): Promise<void> {
    await nextTurn()
    try {
      for (;;) {
        if (this.#queue.length < FRAMES_PER_WRITE) this.#refill()
        if (this.#queue.length === 0) break
        const writable = this.#stream.send(concatBytes(...this.#queue.splice(0, FRAMES_PER_WRITE)))
        if (!writable) await this.#stream.onDrain()
      }
    } catch {
      this.close() // the reader of the same stream sees the failure and ends the link
    } finally {
      this.#flushing = undefined
    }
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
      // A copy, because packets outlive the chunk that the transport may reuse.
      const frame = decodeFrame(all.slice(offset, offset + FRAME_BYTES))
      frames.push(frame)
      if (!frame) break
    }
    if (frames.length > 0) yield frames
    if (frames.at(-1) === undefined && frames.length > 0) return
    rest = all.slice(offset)
  }
  if (rest.length > 0) yield [undefined]
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
