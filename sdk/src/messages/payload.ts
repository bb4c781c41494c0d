/** What stands in the payload of a MESSAGE (docs/sdk.md, "The message layer"). */
import {
  concatBytes,
  MainframeError,
  MESSAGE_PAYLOAD_BYTES,
  type Message,
  viewOf,
} from '@mainframe/protocol'
import { createBitmap } from './bitmap.ts'

/** Version of the message layer. */
const LAYER_VERSION = 1
const KINDS = { data: 0, acknowledgement: 1, loop: 2, publication: 3 } as const
const KEY_BYTES = 32
const ID_BYTES = 16
const DATA_HEAD_BYTES = 2 + KEY_BYTES
const PUBLICATION_HEAD_BYTES = 2
const ACK_HEAD_BYTES = 2 + ID_BYTES + 2

/** Bytes of a message that one fragment carries: what its head leaves of a MESSAGE. */
export const FRAGMENT_BYTES = MESSAGE_PAYLOAD_BYTES - DATA_HEAD_BYTES
/** The same of a message for a group, which names no reply address. */
export const PUBLICATION_BYTES = MESSAGE_PAYLOAD_BYTES - PUBLICATION_HEAD_BYTES
/** The longest message: 1 MiB. */
export const MAX_MESSAGE_BYTES = 1_048_576
/** Fragments of the longest message. */
export const MAX_FRAGMENTS = Math.ceil(MAX_MESSAGE_BYTES / FRAGMENT_BYTES)

/** A piece of a message. */
export interface Piece {
  messageId: Uint8Array
  index: number
  count: number
  bytes: Uint8Array
}

/** A piece for a person. Every one says where acknowledgements go, so any of them can be answered. */
export interface Fragment extends Piece {
  kind: 'data'
  /** Inbox public key of the sender, as he claims. */
  replyTo: Uint8Array
}

/** A piece for a group: nobody acknowledges it, and nothing in it names its sender. */
export interface Publication extends Piece {
  kind: 'publication'
}

/** Which fragments of a message have arrived. */
export interface Acknowledgement {
  kind: 'acknowledgement'
  /** Id of the message that is acknowledged. */
  messageId: Uint8Array
  count: number
  /** ceil(count / 8) bytes; bits past `count` are zero. */
  received: Uint8Array
}

/** A packet to ourselves, which shows that its way works. */
export interface Loop {
  kind: 'loop'
  /** 16 random bytes. */
  token: Uint8Array
}

/** What a MESSAGE may carry. */
export type Content = Fragment | Acknowledgement | Loop | Publication

/** How many fragments a message of that many bytes has; an empty one has one. */
export function fragmentCount(length: number): number {
  return Math.max(1, Math.ceil(length / FRAGMENT_BYTES))
}

/** The same of a message for a group. */
export function publicationCount(length: number): number {
  return Math.max(1, Math.ceil(length / PUBLICATION_BYTES))
}

/** Fragment `index` of a message as a MESSAGE instruction. Throws `MESSAGE_TOO_LONG`. */
export function fragmentMessage(message: {
  messageId: Uint8Array
  replyTo: Uint8Array
  bytes: Uint8Array
  index: number
}): Message {
  const { messageId, replyTo, bytes, index } = message
  assertLength(bytes.length)
  const part = bytes.subarray(index * FRAGMENT_BYTES, (index + 1) * FRAGMENT_BYTES)
  const payload = concatBytes(Uint8Array.of(LAYER_VERSION, KINDS.data), replyTo, part)
  return { kind: 'message', messageId, index, count: fragmentCount(bytes.length), payload }
}

/** Fragment `index` of a message for a group as a MESSAGE instruction. Throws `MESSAGE_TOO_LONG`. */
export function publicationMessage(message: {
  messageId: Uint8Array
  bytes: Uint8Array
  index: number
}): Message {
  const { messageId, bytes, index } = message
  assertLength(bytes.length)
  const part = bytes.subarray(index * PUBLICATION_BYTES, (index + 1) * PUBLICATION_BYTES)
  const payload = concatBytes(Uint8Array.of(LAYER_VERSION, KINDS.publication), part)
  return { kind: 'message', messageId, index, count: publicationCount(bytes.length), payload }
}

/** Throws `MESSAGE_TOO_LONG`. */
export function assertLength(length: number): void {
  if (length <= MAX_MESSAGE_BYTES) return
  throw new MainframeError(
    'MESSAGE_TOO_LONG',
    `The message has ${length} bytes, one can have ${MAX_MESSAGE_BYTES} (1 MiB); send it in parts`,
    { details: { length, limit: MAX_MESSAGE_BYTES } },
  )
}

/** An acknowledgement as a MESSAGE instruction of its own, under a fresh random id. */
export function acknowledgementMessage(
  { messageId, count, received }: Omit<Acknowledgement, 'kind'>,
  freshId: Uint8Array,
): Message {
  const head = new Uint8Array(ACK_HEAD_BYTES)
  head.set([LAYER_VERSION, KINDS.acknowledgement])
  head.set(messageId, 2)
  viewOf(head).setUint16(2 + ID_BYTES, count)
  const payload = concatBytes(head, received)
  return { kind: 'message', messageId: freshId, index: 0, count: 1, payload }
}

/** A loop as a MESSAGE instruction. */
export function loopMessage(token: Uint8Array): Message {
  const payload = concatBytes(Uint8Array.of(LAYER_VERSION, KINDS.loop), token)
  return { kind: 'message', messageId: token, index: 0, count: 1, payload }
}

/** What a MESSAGE carries; `undefined` when it has no valid form. Never throws. */
export function decodePayload(message: Message): Content | undefined {
  const { payload } = message
  const [version, kind] = payload
  if (version !== LAYER_VERSION) return undefined
  if (kind === KINDS.data) {
    const piece = decodePiece(message, DATA_HEAD_BYTES)
    return piece && { kind: 'data', replyTo: payload.subarray(2, DATA_HEAD_BYTES), ...piece }
  }
  if (kind === KINDS.publication) {
    const piece = decodePiece(message, PUBLICATION_HEAD_BYTES)
    return piece && { kind: 'publication', ...piece }
  }
  if (kind === KINDS.acknowledgement) return decodeAcknowledgement(message)
  return kind === KINDS.loop ? decodeLoop(message) : undefined
}

function decodePiece(message: Message, headBytes: number): Piece | undefined {
  const { messageId, index, count, payload } = message
  const most = MESSAGE_PAYLOAD_BYTES - headBytes
  if (payload.length < headBytes || count > Math.ceil(MAX_MESSAGE_BYTES / most)) return undefined
  const bytes = payload.subarray(headBytes)
  // Only the last fragment may be short, and none but that of an empty message is empty.
  if (index < count - 1 && bytes.length !== most) return undefined
  if (bytes.length === 0 && count > 1) return undefined
  const isTooLong = (count - 1) * most + bytes.length > MAX_MESSAGE_BYTES
  return isTooLong && index === count - 1 ? undefined : { messageId, index, count, bytes }
}

function decodeAcknowledgement({ count: parts, payload }: Message): Acknowledgement | undefined {
  if (parts !== 1 || payload.length < ACK_HEAD_BYTES) return undefined
  const messageId = payload.subarray(2, 2 + ID_BYTES)
  const count = viewOf(payload).getUint16(2 + ID_BYTES)
  const received = payload.subarray(ACK_HEAD_BYTES)
  if (count < 1 || count > MAX_FRAGMENTS) return undefined
  if (received.length !== createBitmap(count).length) return undefined
  const spare = received.length * 8 - count
  if (((received.at(-1) ?? 0) & ((1 << spare) - 1)) !== 0) return undefined
  return { kind: 'acknowledgement', messageId, count, received }
}

function decodeLoop({ count, payload }: Message): Loop | undefined {
  if (count !== 1 || payload.length !== 2 + ID_BYTES) return undefined
  return { kind: 'loop', token: payload.subarray(2) }
}
