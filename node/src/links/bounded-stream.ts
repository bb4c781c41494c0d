/** A libp2p stream with back-pressure in both directions. */
import { once } from 'node:events'
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { ByteStream } from '@mainframe/protocol'

/** Unread bytes at which the peer is told to wait, and at which it may go on. */
const PAUSE_BYTES = 512 * 1024
const RESUME_BYTES = 128 * 1024

/**
 * libp2p's own iterator takes in all that a peer sends, however slowly it is read; this one pauses
 * the stream, so that yamux lets the peer send no more than a window ahead. And libp2p's `onDrain`
 * (3.3) waits only the first time, its promise is never made anew; this one waits each time.
 */
export function boundStream(stream: Stream): ByteStream {
  return {
    send: (bytes) => stream.send(bytes),
    onDrain: (options) => untilDrained(stream, options?.signal),
    close: () => stream.close(),
    abort: (reason) => stream.abort(reason),
    [Symbol.asyncIterator]: () => read(stream),
  }
}

async function untilDrained(stream: Stream, signal?: AbortSignal): Promise<void> {
  const closed = new AbortController()
  const onClose = () => closed.abort()
  stream.addEventListener('close', onClose)
  const ended = AbortSignal.any(signal ? [signal, closed.signal] : [closed.signal])
  try {
    // a drained connection says so to all its streams, also to those whose own window is used up
    while (stream.writableNeedsDrain && stream.writeStatus === 'writable') {
      await once(stream, 'drain', { signal: ended })
    }
  } finally {
    stream.removeEventListener('close', onClose)
  }
}

interface Inbox {
  chunks: (Uint8Array | { subarray(): Uint8Array; byteLength: number })[]
  bytes: number
  ended: boolean
  error: Error | undefined
  wake: PromiseWithResolvers<void>
}

async function* read(stream: Stream): AsyncGenerator<Inbox['chunks'][number], void, void> {
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

function attach(stream: Stream, inbox: Inbox): () => void {
  const onMessage = ({ data }: StreamMessageEvent) => {
    inbox.chunks.push(data)
    inbox.bytes += data.byteLength
    if (inbox.bytes >= PAUSE_BYTES && stream.readStatus === 'readable') stream.pause()
    inbox.wake.resolve()
  }
  const onEnd = () => {
    inbox.ended = true
    inbox.wake.resolve()
  }
  const onClose = ({ error }: StreamCloseEvent) => {
    inbox.error = error
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
