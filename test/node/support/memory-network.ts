/**
 * Relays in one process over their real links, ledgers and routers, with streams, stores and a clock
 * in memory, so that one seed gives the same frames in the same turns of the event loop every time.
 */
import { createHash } from 'node:crypto'
import type { MockTimers } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import {
  type ByteStream,
  decodeFrame,
  FRAME_BYTES,
  LINK_VERSION,
  PayerLink,
  type PayerLinkHandlers,
  type Shipment,
} from '@mainframe/protocol'
import { duplexPair } from '../../protocol/support/duplex.ts'
import { openChannel, type Purse } from './memory-channels.ts'
import { MemoryRelay, type RelayTraits } from './memory-relay.ts'
import { CHAIN_ID, CHANNELS } from './memory-terms.ts'
import { Seeded } from './seeded.ts'

/** A frame that left a relay: when, over which link, and what it was. */
export interface SentFrame {
  ms: number
  /** Turn of the event loop since the clock was last moved. */
  turn: number
  from: string
  to: string
  type: string
  digest: string
}

export interface NetworkInit {
  seed: number
  relays: number
  luminosity: number
  timers: MockTimers
  /** What is special about a relay, by its index. */
  traits?: Readonly<Record<number, RelayTraits>>
}

/** Turns until everything that a moment caused has come to rest. */
const TURNS = 24
const STEP_MS = 500

export class MemoryNetwork {
  readonly relays: readonly MemoryRelay[]
  readonly sent: SentFrame[] = []
  /** Why links between relays ended before the network did. */
  readonly failures: unknown[] = []
  readonly #timers: MockTimers
  readonly #startedMs = Date.now()
  #turn = 0

  constructor({ seed, relays, luminosity, timers, traits = {} }: NetworkInit) {
    const random = new Seeded(seed)
    this.#timers = timers
    this.relays = Array.from(
      { length: relays },
      (_, i) => new MemoryRelay(`relay ${i}`, random.fork(), traits[i] ?? {}),
    )
    for (const relay of this.relays) relay.join(this.relays, luminosity)
  }

  /** Links every relay to every other one, and pays them. */
  async start(): Promise<void> {
    for (const from of this.relays) {
      for (const to of this.relays) {
        if (from === to) continue
        from.dial(to, this.#connect(from.name, to)).catch((error) => this.failures.push(error))
      }
    }
    await this.settle()
  }

  /** A client's link to a relay, which is paid for if there is a purse. */
  async client<S extends Shipment>(
    relay: MemoryRelay,
    { name, purse, handlers = {} }: ClientInit<S>,
  ): Promise<PayerLink<S>> {
    const link = new PayerLink<S>(this.#connect(name, relay), handlers)
    const hello = { version: LINK_VERSION, chainId: CHAIN_ID, channels: CHANNELS }
    void link.handshake({ ...hello, signedQuotes: [] })
    await this.settle()
    if (purse) link.fund(openChannel(purse, relay))
    await this.settle()
    return link
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < TURNS; i++) {
      await setImmediate()
      this.#turn += 1
    }
  }

  /** Moves the clock to this moment after the start, in steps. */
  async until(ms: number): Promise<void> {
    while (this.nowMs < ms) {
      this.#turn = 0
      this.#timers.tick(Math.min(STEP_MS, ms - this.nowMs))
      await this.settle()
    }
  }

  /** Milliseconds since the start. */
  get nowMs(): number {
    return Date.now() - this.#startedMs
  }

  async stop(): Promise<void> {
    const stopping = Promise.all(this.relays.map((relay) => relay.stop()))
    await this.settle()
    await stopping
  }

  /** A stream to a relay: this end of it. Both ends are listened to. */
  #connect(from: string, to: MemoryRelay): ByteStream {
    const [near, far] = duplexPair()
    to.incoming.accept(this.#tap(far, to.name, from), createHash('sha256').update(from).digest())
    return from.startsWith('relay') ? this.#tap(near, from, to.name) : near
  }

  #tap(stream: ByteStream, from: string, to: string): ByteStream {
    return {
      send: (bytes) => {
        for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
          const frame = bytes.slice(at, at + FRAME_BYTES)
          const type = decodeFrame(frame)?.type ?? 'none'
          const digest = createHash('sha256').update(frame).digest('hex').slice(0, 16)
          this.sent.push({ ms: this.nowMs, turn: this.#turn, from, to, type, digest })
        }
        return stream.send(bytes)
      },
      onDrain: (options) => stream.onDrain(options),
      close: () => stream.close(),
      abort: (reason) => stream.abort(reason),
      [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
    }
  }
}

interface ClientInit<S extends Shipment> {
  name: string
  purse?: Purse
  handlers?: PayerLinkHandlers<S>
}
