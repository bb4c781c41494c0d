/** A person's inbox: it answers what it gets, and hears the answers to what was sent. */
import { encodeContactCode, type KeyPair } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { Acknowledger } from './acknowledger.ts'
import { createBitmap, setBit } from './bitmap.ts'
import type { Completed } from './completed.ts'
import type { ReceivedMessage } from './deliveries.ts'
import type { InboxKind } from './inbox-kind.ts'
import { Keyring } from './keyring.ts'
import type { Acknowledgement, Content, Fragment, Publication } from './payload.ts'
import {
  createReassembly,
  isComplete,
  type PartialMessage,
  type Reassembly,
  type ReassemblyLimits,
} from './reassembly.ts'
import { Receiver, type ReceiverOptions } from './receiver.ts'

/** An acknowledgement to be sent. */
export interface OutgoingAcknowledgement {
  /** Inbox public key that asked for it. */
  to: Uint8Array
  messageId: Uint8Array
  count: number
  received: Uint8Array
}

export interface PersonalOptions
  extends Pick<ReceiverOptions<ReceivedMessage>, 'completed' | 'onRoom' | 'onHandlerError'> {
  keyPair: KeyPair
  clock: Clock
  random: Random
  ackDelayMs: number
  quietMs: number
  limits?: ReassemblyLimits | undefined
  acknowledge(acknowledgement: OutgoingAcknowledgement): void
  onAcknowledgement(acknowledgement: Acknowledgement): void
  /** A packet of our own is back. */
  onLoop(token: Uint8Array): void
}

/** The receiver of a person's inbox. */
export function personalReceiver(options: PersonalOptions): Receiver<ReceivedMessage> {
  const { keyPair, clock, completed, limits, onRoom, onHandlerError } = options
  const reassembly = createReassembly(limits)
  const kind = new Personal(options, reassembly)
  const keyring = new Keyring([keyPair])
  return new Receiver({ keyring, kind, clock, completed, reassembly, onRoom, onHandlerError })
}

/** Acknowledgements that may wait to be sent; older ones are asked for again by their senders. */
const MOST_ANSWERS = 1_024

class Personal implements InboxKind<ReceivedMessage> {
  readonly #options: PersonalOptions
  readonly #reassembly: Reassembly
  readonly #completed: Completed
  readonly #acknowledger: Acknowledger
  /** Whom to answer about messages that were completed before; a bounded memory. */
  readonly #answerTo = new Map<string, { replyTo: Uint8Array; count: number }>()

  constructor(options: PersonalOptions, reassembly: Reassembly) {
    this.#options = options
    this.#reassembly = reassembly
    this.#completed = options.completed
    const { clock, random, ackDelayMs, quietMs } = options
    const send = (key: string) => this.#sendAcknowledgement(key)
    this.#acknowledger = new Acknowledger({ clock, random, ackDelayMs, quietMs, send })
  }

  pieceOf(content: Content): Fragment | 'acknowledgement' | 'loop' | 'no-message' {
    if (content.kind === 'data') return content
    if (content.kind === 'acknowledgement') this.#options.onAcknowledgement(content)
    else if (content.kind === 'loop') this.#options.onLoop(content.token)
    else return 'no-message' // what is for a group has no place here
    return content.kind
  }

  messageOf(key: string, { replyTo, count }: PartialMessage, bytes: Uint8Array): ReceivedMessage {
    // every piece for a person names one
    return { id: key, from: encodeContactCode(replyTo as Uint8Array), bytes, packets: count }
  }

  /** The sender has not got our acknowledgement, or it is on the way. */
  onRepeated(key: string, piece: Fragment | Publication): void {
    if (piece.kind === 'data') this.#rememberAnswer(key, piece)
    this.#acknowledger.again(key)
  }

  onUnfinished(key: string): void {
    this.#acknowledger.whenQuiet(key)
  }

  onGone(key: string): void {
    this.#acknowledger.forget(key)
  }

  onDone(key: string, partial: PartialMessage): void {
    this.#rememberAnswer(key, partial)
    this.#acknowledger.soon(key)
  }

  close(): void {
    this.#acknowledger.close()
  }

  #sendAcknowledgement(key: string): void {
    const answer = this.#answerTo.get(key)
    const messageId = bytesOf(key)
    if (answer && this.#completed.has(key)) {
      const { replyTo: to, count } = answer
      this.#options.acknowledge({ to, messageId, count, received: fullBitmap(count) })
      return
    }
    const partial = this.#reassembly.partials.get(key)
    // Complete and not dealt with yet: not a word before the handler has resolved.
    if (!partial?.replyTo || isComplete(partial)) return
    const { replyTo: to, count, received } = partial
    this.#options.acknowledge({ to, messageId, count, received: received.slice() })
  }

  #rememberAnswer(key: string, { replyTo, count }: Pick<PartialMessage, 'replyTo' | 'count'>) {
    if (!replyTo) return
    this.#answerTo.delete(key)
    this.#answerTo.set(key, { replyTo: replyTo.slice(), count })
    if (this.#answerTo.size <= MOST_ANSWERS) return
    const [oldest] = this.#answerTo.keys()
    if (oldest !== undefined) this.#answerTo.delete(oldest)
  }
}

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(key.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

function fullBitmap(count: number): Uint8Array {
  const bitmap = createBitmap(count)
  for (let index = 0; index < count; index++) setBit(bitmap, index)
  return bitmap
}
