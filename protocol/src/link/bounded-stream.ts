/** A libp2p stream with back-pressure in both directions. */
import type { ByteStream } from './frame-stream.ts'

type Chunk = Uint8Array | { subarray(): Uint8Array; byteLength: number }

/** What is used of a libp2p 3 stream; named here, so that no network library is imported. */
export interface MessageStream {
  readonly readStatus: string
  readonly writeStatus: string
  readonly writableNeedsDrain: boolean
  send(bytes: Uint8Array): boolean
  close(): Promise<void>
  abort(reason: Error): void
  pause(): void
  resume(): void
  addEventListener(type: StreamEvent, listener: (event: Event) => void): void
  removeEventListener(type: StreamEvent, listener: (event: Event) => void): void
}

type StreamEvent = 'message' | 'drain' | 'close' | 'remoteCloseWrite'

/**
 * The window that a stream's yamux may grow to. It must stay below libp2p's read buffer (4 MiB), or
 * a paused stream would be reset by a peer that does nothing wrong.
 */
export const STREAM_WINDOW_BYTES = 1024 * 1024
/** Unread bytes at which the peer is told to wait, and at which it may go on. */
const PAUSE_BYTES = 512 * 1024
const RESUME_BYTES = 128 * 1024

/**
 * libp2p's own iterator takes in all that a peer sends, however slowly it is read; this one pauses
 * the stream, so that yamux lets the peer send no more than a window ahead. And libp2p's `onDrain`
 * (3.3) waits only the first time, its promise is never made anew; this one waits each time.
 */
export function boundStream(stream: MessageStream): ByteStream {
  return {
    send: (bytes) => stream.send(bytes),
    onDrain: (options) => untilDrained(stream, options?.signal),
    close: () => stream.close(),
    abort: (reason) => stream.abort(reason),
    [Symbol.asyncIterator]: () => read(stream),
  }
}

async function untilDrained(stream: MessageStream, signal?: AbortSignal): Promise<void> {
  // a drained connection says so to all its streams, also to those whose own window is used up
  while (stream.writableNeedsDrain && stream.writeStatus === 'writable') {
    signal?.throwIfAborted()
    await drainOrEnd(stream, signal)
  }
}

/** Resolves at the next drain, or when there will be none: the stream closed, the signal aborted. */
async function drainOrEnd(stream: MessageStream, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onEvent = () => resolve()
  stream.addEventListener('drain', onEvent)
  stream.addEventListener('close', onEvent)
  signal?.addEventListener('abort', onEvent)
  await promise
  stream.removeEventListener('drain', onEvent)
  stream.removeEventListener('close', onEvent)
  signal?.removeEventListener('abort', onEvent)
}

interface Inbox {
  chunks: Chunk[]
  bytes: number
  ended: boolean
  error: Error | undefined
  wake: PromiseWithResolvers<void>
}

async function* read(stream: MessageStream): AsyncGenerator<Chunk, void, void> {
  const inbox: Inbox = {
    chunks: [],
    bytes: 0,
    ended: stream.readStatus !== 'readable' && stream.readStatus !== 'paused',
    error: undefined,
    wake: Promise.withResolvers(),
  }
  const detach = attach(stream, inbox)
  try {
    for (;;) {
      const chunk = inbox.chunks.shift()
      if (chunk) {
        inbox.bytes -= chunk.byteLength
        if (inbox.bytes <= RESUME_BYTES && stream.readStatus === 'paused') stream.resume()
        yield chunk
        continue
      }
      if (inbox.error) throw inbox.error
      if (inbox.ended) return
      inbox.wake = Promise.withResolvers()
      await inbox.wake.promise
    }
  } finally {
    detach()
  }
}

function attach(stream: MessageStream, inbox: Inbox): () => void {
  const onMessage = (event: Event) => {
    const { data } = event as Event & { data: Chunk }
    inbox.chunks.push(data)
    inbox.bytes += data.byteLength
    if (inbox.bytes >= PAUSE_BYTES && stream.readStatus === 'readable') stream.pause()
    inbox.wake.resolve()
  }
  const onEnd = () => {
    inbox.ended = true
    inbox.wake.resolve()
  }
  const onClose = (event: Event) => {
    inbox.error = (event as Event & { error?: Error }).error
    onEnd()
  }
  stream.addEventListener('close', onClose)
  stream.addEventListener('remoteCloseWrite', onEnd)
  stream.addEventListener('message', onMessage)
  return () => {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('remoteCloseWrite', onEnd)
    stream.removeEventListener('close', onClose)
  }
}
