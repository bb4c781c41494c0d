/** Two ends of a byte stream in memory, with the manners of a libp2p stream. */
import { type ByteStream, MainframeError } from '@mainframe/protocol'

/** What a test may look at and tamper with. */
export interface TestStream extends ByteStream {
  /** Number of `send` calls so far. */
  readonly sends: number
  /** While true, `send` answers false and `onDrain` waits, as with a peer that does not read. */
  stalled: boolean
  readonly aborted: Error | undefined
  /** Ends a stall: who waits for the drain goes on. */
  resume(): void
  /** Puts raw bytes before the peer. */
  inject(bytes: Uint8Array): void
}

interface DuplexOptions {
  /** Cuts what is written into the pieces that the reader sees. */
  split?: (bytes: Uint8Array) => Uint8Array[]
}

/** Bytes written to one end are read at the other. */
export function duplexPair(options: DuplexOptions = {}): [TestStream, TestStream] {
  const split = options.split ?? ((bytes: Uint8Array) => [bytes])
  const inboxes = [new Inbox(), new Inbox()] as const
  const end = (own: Inbox, peer: Inbox): TestStream => new StreamEnd(own, peer, split)
  return [end(inboxes[0], inboxes[1]), end(inboxes[1], inboxes[0])]
}

class Inbox {
  readonly chunks: Uint8Array[] = []
  ended = false
  failure: Error | undefined
  #wake: (() => void) | undefined

  notify(): void {
    this.#wake?.()
  }

  async *read(): AsyncGenerator<Uint8Array> {
    while (true) {
      const chunk = this.chunks.shift()
      if (chunk) yield chunk
      else if (this.failure) throw this.failure
      else if (this.ended) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

class StreamEnd implements TestStream {
  sends = 0
  stalled = false
  aborted: Error | undefined
  #drain: PromiseWithResolvers<void> | undefined
  readonly #own: Inbox
  readonly #peer: Inbox
  readonly #split: (bytes: Uint8Array) => Uint8Array[]

  constructor(own: Inbox, peer: Inbox, split: (bytes: Uint8Array) => Uint8Array[]) {
    this.#own = own
    this.#peer = peer
    this.#split = split
  }

  send(bytes: Uint8Array): boolean {
    if (this.aborted || this.#peer.ended) throw new MainframeError('NETWORK_CLOSED', 'closed')
    this.sends += 1
    for (const piece of this.#split(bytes)) this.inject(piece)
    return !this.stalled
  }

  inject(bytes: Uint8Array): void {
    this.#peer.chunks.push(bytes)
    this.#peer.notify()
  }

  async onDrain(): Promise<void> {
    if (!this.stalled) return
    this.#drain ??= Promise.withResolvers<void>()
    await this.#drain.promise
  }

  resume(): void {
    this.stalled = false
    this.#drain?.resolve()
    this.#drain = undefined
  }

  async close(): Promise<void> {
    for (const inbox of [this.#peer, this.#own]) {
      inbox.ended = true
      inbox.notify()
    }
  }

  abort(reason: Error): void {
    this.aborted = reason
    this.#drain?.reject(reason)
    for (const inbox of [this.#peer, this.#own]) {
      inbox.failure = reason
      inbox.notify()
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    return this.#own.read()
  }
}
