/** From delivered packets to messages: open, put together, hand on, remember, acknowledge. */
import {
  decodeInstruction,
  encodeContactCode,
  headerOf,
  type KeyPair,
  type Message,
  minutesNow,
  openPacket,
  toHex,
} from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { Acknowledger } from './acknowledger.ts'
import { createBitmap, setBit } from './bitmap.ts'
import type { Completed } from './completed.ts'
import { createCursors } from './cursors.ts'
import { Deliveries, type MessageHandler } from './deliveries.ts'
import { type Acknowledgement, decodePayload, type Fragment, type Loop } from './payload.ts'
import {
  addFragment,
  assemble,
  createReassembly,
  expirePartials,
  isComplete,
  type ReassemblyLimits,
  removePartial,
} from './reassembly.ts'
import { createSeenPackets } from './seen-packets.ts'

/** An acknowledgement to be sent. */
export interface OutgoingAcknowledgement {
  /** Inbox public key that asked for it. */
  to: Uint8Array
  messageId: Uint8Array
  count: number
  received: Uint8Array
}

export interface ReceiverOptions {
  keyPair: KeyPair
  clock: Clock
  random: Random
  completed: Completed
  ackDelayMs: number
  quietMs: number
  limits?: ReassemblyLimits | undefined
  acknowledge(acknowledgement: OutgoingAcknowledgement): void
  onAcknowledgement(acknowledgement: Acknowledgement): void
  /** A packet of our own is back. */
  onLoop(token: Uint8Array): void
  /** There is room for what these relays delivered while there was none: ask them again. */
  onRoom(relays: readonly string[]): void
  onHandlerError(error: unknown): void
}

/**
 * What became of a delivered packet. `unopened` is the common case: it is for somebody else who
 * shares the prefix.
 */
export type ReceiveOutcome =
  | 'seen'
  | 'expired'
  | 'unopened'
  | 'damaged'
  | 'no-message'
  | 'acknowledgement'
  | 'loop'
  | 'completed-before'
  | 'stored'
  | 'complete'
  | 'duplicate'
  | 'inconsistent'
  | 'full'

/** Relays and clients may disagree about the time by this much. */
const CLOCK_SLACK_MINUTES = 10
const EXPIRY_CHECK_MS = 60_000

export class Receiver {
  readonly #options: ReceiverOptions
  readonly #seen = createSeenPackets()
  readonly #cursors = createCursors()
  readonly #reassembly
  readonly #deliveries: Deliveries
  readonly #acknowledger: Acknowledger
  /** Whom to answer about messages that were completed before; a bounded memory. */
  readonly #answerTo = new Map<string, { replyTo: Uint8Array; count: number }>()
  #cancelExpiry: () => void

  constructor(options: ReceiverOptions) {
    this.#options = options
    const { clock, random, ackDelayMs, quietMs, limits, onHandlerError } = options
    this.#reassembly = createReassembly(limits)
    this.#deliveries = new Deliveries({ clock, onHandlerError })
    const send = (messageKey: string) => this.#sendAcknowledgement(messageKey)
    this.#acknowledger = new Acknowledger({ clock, random, ackDelayMs, quietMs, send })
    this.#cancelExpiry = clock.after(EXPIRY_CHECK_MS, () => this.#expire())
  }

  handle(handler: MessageHandler): () => void {
    return this.#deliveries.handle(handler)
  }

  /** Takes a packet that a relay delivered under a cursor. Synchronous, never throws. */
  receive(packet: Uint8Array, relay: string, cursor: number): ReceiveOutcome {
    const { isNew, message: known, id } = this.#seen.look(packet)
    if (!isNew) {
      this.#cursors.note(relay, cursor, this.#isUnfinished(known) ? known : undefined)
      return 'seen'
    }
    const message = this.#open(packet)
    if (typeof message === 'string') {
      this.#cursors.note(relay, cursor)
      return message
    }
    const content = decodePayload(message)
    const key = content?.kind === 'data' ? keyOf(content.messageId) : undefined
    const outcome = content ? this.#take(content) : 'no-message'
    if (outcome === 'full') {
      // its sender may be gone, and the relay still holds it: it is taken when there is room
      this.#seen.forget(id)
      this.#cursors.miss(relay, cursor)
      return outcome
    }
    const holdsBack = this.#isUnfinished(key) && outcome !== 'inconsistent'
    this.#cursors.note(relay, cursor, holdsBack ? key : undefined)
    if (key !== undefined) this.#seen.assign(id, key)
    return outcome
  }

  /** Where to resume at a relay; `undefined` when it never delivered. */
  resumeAt(relay: string): number | undefined {
    return this.#cursors.resumeAt(relay)
  }

  /** The same after a restart, which forgets the parts of messages. */
  restartAt(relay: string): number | undefined {
    return this.#cursors.restartAt(relay)
  }

  close(): void {
    this.#cancelExpiry()
    this.#deliveries.close()
    this.#acknowledger.close()
  }

  #open(packet: Uint8Array): Message | 'expired' | 'unopened' | 'damaged' | 'no-message' {
    const header = headerOf(packet)
    if (header === 'malformed') return 'damaged'
    const nowMinutes = minutesNow(this.#options.clock.now())
    // A packet older than our memory of completed messages could be delivered twice.
    if (header.expiryMinutes + CLOCK_SLACK_MINUTES < nowMinutes) return 'expired'
    const content = openPacket(packet, this.#options.keyPair)
    if (typeof content === 'string') return content
    const instruction = decodeInstruction(content)
    return instruction?.kind === 'message' ? instruction : 'no-message'
  }

  #take(content: Fragment | Acknowledgement | Loop): ReceiveOutcome {
    if (content.kind === 'acknowledgement') {
      this.#options.onAcknowledgement(content)
      return 'acknowledgement'
    }
    if (content.kind === 'loop') {
      this.#options.onLoop(content.token)
      return 'loop'
    }
    const key = keyOf(content.messageId)
    if (this.#options.completed.has(key)) {
      // The sender has not got our acknowledgement, or it is on the way.
      this.#rememberAnswer(key, content)
      this.#acknowledger.again(key)
      return 'completed-before'
    }
    const nowMs = this.#options.clock.now()
    const { outcome, evicted } = addFragment(this.#reassembly, { key, fragment: content, nowMs })
    for (const gone of evicted) this.#giveUp(gone)
    if (outcome === 'complete') this.#onComplete(key)
    else if (outcome === 'stored' || outcome === 'duplicate') this.#acknowledger.whenQuiet(key)
    return outcome
  }

  #onComplete(key: string): void {
    const partial = this.#reassembly.partials.get(key)
    if (!partial) return
    this.#acknowledger.forget(key)
    const { replyTo, count } = partial
    this.#deliveries.push({
      message: () => ({
        id: key,
        from: encodeContactCode(replyTo),
        bytes: assemble(partial),
        packets: count,
      }),
      done: async () => {
        await this.#options.completed.add(key, this.#options.clock.now())
        removePartial(this.#reassembly, key)
        this.#cursors.settle(key)
        this.#rememberAnswer(key, { replyTo, count })
        this.#acknowledger.soon(key)
        this.#makeUp()
      },
    })
  }

  /** Asks for what found no room, once everything that took the room is handed on. */
  #makeUp(): void {
    if ([...this.#reassembly.partials.values()].some(isComplete)) return
    const relays = this.#cursors.rewind()
    if (relays.length > 0) this.#options.onRoom(relays)
  }

  #sendAcknowledgement(key: string): void {
    const answer = this.#answerTo.get(key)
    const messageId = bytesOf(key)
    if (answer && this.#options.completed.has(key)) {
      const { replyTo: to, count } = answer
      this.#options.acknowledge({ to, messageId, count, received: fullBitmap(count) })
      return
    }
    const partial = this.#reassembly.partials.get(key)
    // Complete and not dealt with yet: not a word before the handler has resolved.
    if (!partial || isComplete(partial)) return
    const { replyTo: to, count, received } = partial
    this.#options.acknowledge({ to, messageId, count, received: received.slice() })
  }

  #rememberAnswer(key: string, { replyTo, count }: { replyTo: Uint8Array; count: number }): void {
    this.#answerTo.delete(key)
    this.#answerTo.set(key, { replyTo: replyTo.slice(), count })
    if (this.#answerTo.size <= MOST_ANSWERS) return
    const [oldest] = this.#answerTo.keys()
    if (oldest !== undefined) this.#answerTo.delete(oldest)
  }

  #isUnfinished(key: string | undefined): boolean {
    return key !== undefined && this.#reassembly.partials.has(key)
  }

  #giveUp(key: string): void {
    this.#acknowledger.forget(key)
    this.#cursors.settle(key)
  }

  #expire(): void {
    const nowMs = this.#options.clock.now()
    for (const key of expirePartials(this.#reassembly, nowMs)) this.#giveUp(key)
    void this.#options.completed.forget(nowMs).catch(this.#options.onHandlerError)
    this.#cancelExpiry = this.#options.clock.after(EXPIRY_CHECK_MS, () => this.#expire())
  }
}

/** Acknowledgements that may wait to be sent; older ones are asked for again by their senders. */
const MOST_ANSWERS = 1_024

function keyOf(messageId: Uint8Array): string {
  return toHex(messageId).slice(2)
}

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(key.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

function fullBitmap(count: number): Uint8Array {
  const bitmap = createBitmap(count)
  for (let index = 0; index < count; index++) setBit(bitmap, index)
  return bitmap
}
