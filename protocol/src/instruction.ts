/** What stands inside a sealed layer (PROTOCOL.md §1.2). */
import { concatBytes, readU64, viewOf, writeU64 } from './bytes.ts'
import { MainframeError } from './errors.ts'

/** Sizes of a content: FORWARD with 3, 2 or 1 FORWARD layers counted from itself, and MESSAGE or DROP. */
export const CONTENT_BYTES: readonly number[] = [1943, 1825, 1707, 1589]
/** Size of the content of a MESSAGE or DROP. */
export const LEAF_CONTENT_BYTES = 1589
/** Bytes of payload that one MESSAGE carries. */
export const MESSAGE_PAYLOAD_BYTES = 1566
/** The most FORWARD layers around a MESSAGE. */
export const MAX_HOPS = 3
/** The longest delay that a relay waits before it injects an inner packet. */
export const MAX_DELAY_MS = 5 * 60_000

/** Bytes of code, delay and postage before the inner packet. */
const FORWARD_HEAD_BYTES = 13
const MESSAGE_HEAD_BYTES = 23
const MESSAGE_ID_BYTES = 16
const CODES = { drop: 0, forward: 1, message: 2 } as const

/** Cover traffic ends here. */
export interface Drop {
  kind: 'drop'
}

/** "Wait, then route this inner packet with this postage." */
export interface Forward {
  kind: 'forward'
  delayMs: number
  postageUnits: number
  /** A sealed layer without padding. */
  inner: Uint8Array
}

/** One fragment of a message to an inbox. */
export interface Message {
  kind: 'message'
  /** 16 random bytes, the same in all fragments of a message. */
  messageId: Uint8Array
  index: number
  count: number
  /** At most 1566 bytes. */
  payload: Uint8Array
}

export type Instruction = Drop | Forward | Message

/** The content bytes of an instruction. Throws `VALIDATION_FAILED` for values out of bounds. */
export function encodeInstruction(instruction: Instruction): Uint8Array {
  switch (instruction.kind) {
    case 'drop':
      return new Uint8Array(LEAF_CONTENT_BYTES)
    case 'forward':
      return encodeForward(instruction)
    case 'message':
      return encodeMessage(instruction)
  }
}

/** The instruction in an opened content; `undefined` when it has no valid form. Never throws. */
export function decodeInstruction(content: Uint8Array): Instruction | undefined {
  switch (content[0]) {
    case CODES.drop:
      return content.length === LEAF_CONTENT_BYTES ? { kind: 'drop' } : undefined
    case CODES.forward:
      return decodeForward(content)
    case CODES.message:
      return decodeMessage(content)
    default:
      return undefined
  }
}

function encodeForward({ delayMs, postageUnits, inner }: Forward): Uint8Array {
  if (!isDelay(delayMs) || !Number.isSafeInteger(postageUnits) || postageUnits < 1) {
    throw new MainframeError(
      'VALIDATION_FAILED',
      'A delay is 0..300,000 ms and postage at least 1 unit',
    )
  }
  const head = new Uint8Array(FORWARD_HEAD_BYTES)
  const view = viewOf(head)
  view.setUint8(0, CODES.forward)
  view.setUint32(1, delayMs)
  writeU64(view, 5, postageUnits)
  const content = concatBytes(head, inner)
  if (!isForwardSize(content.length)) {
    throw new MainframeError('VALIDATION_FAILED', 'A FORWARD holds a layer of one of three sizes')
  }
  return content
}

function decodeForward(content: Uint8Array): Forward | undefined {
  if (!isForwardSize(content.length)) return undefined
  const view = viewOf(content)
  const delayMs = view.getUint32(1)
  const postageUnits = readU64(view, 5)
  if (!isDelay(delayMs) || postageUnits === undefined || postageUnits < 1) return undefined
  return { kind: 'forward', delayMs, postageUnits, inner: content.subarray(FORWARD_HEAD_BYTES) }
}

function encodeMessage({ messageId, index, count, payload }: Message): Uint8Array {
  const fits = payload.length <= MESSAGE_PAYLOAD_BYTES && messageId.length === MESSAGE_ID_BYTES
  if (!fits || !isFragment(index, count)) {
    throw new MainframeError(
      'VALIDATION_FAILED',
      'A MESSAGE has a 16-byte id, index < count <= 65535, and at most 1566 bytes',
    )
  }
  const content = new Uint8Array(LEAF_CONTENT_BYTES)
  const view = viewOf(content)
  view.setUint8(0, CODES.message)
  content.set(messageId, 1)
  view.setUint16(17, index)
  view.setUint16(19, count)
  view.setUint16(21, payload.length)
  content.set(payload, MESSAGE_HEAD_BYTES)
  return content
}

function decodeMessage(content: Uint8Array): Message | undefined {
  if (content.length !== LEAF_CONTENT_BYTES) return undefined
  const view = viewOf(content)
  const index = view.getUint16(17)
  const count = view.getUint16(19)
  const length = view.getUint16(21)
  if (!isFragment(index, count) || length > MESSAGE_PAYLOAD_BYTES) return undefined
  return {
    kind: 'message',
    messageId: content.subarray(1, 1 + MESSAGE_ID_BYTES),
    index,
    count,
    payload: content.subarray(MESSAGE_HEAD_BYTES, MESSAGE_HEAD_BYTES + length),
  }
}

function isForwardSize(bytes: number): boolean {
  return bytes !== LEAF_CONTENT_BYTES && CONTENT_BYTES.includes(bytes)
}

function isDelay(delayMs: number): boolean {
  return Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= MAX_DELAY_MS
}

function isFragment(index: number, count: number): boolean {
  const whole = Number.isInteger(index) && Number.isInteger(count)
  return whole && index >= 0 && index < count && count <= 0xffff
}
