/** Letters: what messengers write to each other's inboxes (docs/messenger.md, "Letters"). */
import { concatBytes, utf8, viewOf } from '@mainframe/protocol'
import { MAX_KEY_PACKAGE_BYTES } from '../mls/key-packages.ts'

/** A stranger asks to be a contact. */
export interface RequestLetter {
  kind: 'request'
  /** Nonce of the proof of work, 8 bytes. */
  nonce: Uint8Array
  /** 32 random bytes; who knows them has read this letter. */
  challenge: Uint8Array
  /** For the conversation that an acceptance begins. */
  keyPackage: Uint8Array
  /** Of {@link requestSubject}, with the key in the leaf of the key package; 64 bytes. */
  signature: Uint8Array
  /** At most {@link MAX_INTRODUCTION_BYTES} of UTF-8. */
  introduction: string
}

export type Letter =
  | RequestLetter
  /** Somebody who was asked accepts: `proof` is of the challenge and the welcome. */
  | { kind: 'accept'; proof: Uint8Array; welcome: Uint8Array }
  /** Of a conversation of two. */
  | { kind: 'talk'; conversationId: Uint8Array; bytes: Uint8Array }
  /** Between members of a conversation who do not read each other there. */
  | { kind: 'aside'; conversationId: Uint8Array; bytes: Uint8Array }
  /** Into a conversation that the reader was invited to. */
  | { kind: 'welcome'; welcome: Uint8Array }

/** First two bytes, which tell letters from what applications send by themselves; then the version. */
const MAGIC = [0x6d, 0x66, 1] as const
const KINDS = { request: 1, accept: 2, talk: 3, welcome: 4, aside: 5 } as const
const NONCE_BYTES = 8
const CHALLENGE_BYTES = 32
const PROOF_BYTES = 32
const SIGNATURE_BYTES = 64
const ID_BYTES = 16
export const MAX_INTRODUCTION_BYTES = 280
/** Bytes of a request before the length of its introduction. */
const TEXT_AT = NONCE_BYTES + CHALLENGE_BYTES + SIGNATURE_BYTES
/** Bytes of a request before its key package. */
const REQUEST_HEAD_BYTES = TEXT_AT + 2 + MAX_INTRODUCTION_BYTES

export function encodeLetter(letter: Letter): Uint8Array {
  return concatBytes(Uint8Array.of(...MAGIC, KINDS[letter.kind]), encodeBody(letter))
}

function encodeBody(letter: Letter): Uint8Array {
  switch (letter.kind) {
    case 'request':
      return concatBytes(letter.nonce, requestTerms(letter))
    case 'accept':
      return concatBytes(letter.proof, letter.welcome)
    case 'talk':
    case 'aside':
      return concatBytes(letter.conversationId, letter.bytes)
    case 'welcome':
      return letter.welcome
  }
}

/** What the proof of work of a request covers: everything but its nonce. */
export function requestTerms(letter: Omit<RequestLetter, 'kind' | 'nonce'>): Uint8Array {
  const text = new TextEncoder().encode(letter.introduction)
  const length = new Uint8Array(2)
  viewOf(length).setUint16(0, text.length)
  // every request is as long as every other of its ciphersuite
  const padding = new Uint8Array(MAX_INTRODUCTION_BYTES - text.length)
  const { challenge, signature, keyPackage } = letter
  return concatBytes(challenge, signature, length, text, padding, keyPackage)
}

/**
 * What the sender of a request signs. A key package alone is bound to nobody: whoever was given one
 * could ask others with it, in its owner's name.
 */
export function requestSubject(
  recipient: Uint8Array,
  { challenge, keyPackage }: Pick<RequestLetter, 'challenge' | 'keyPackage'>,
): Uint8Array {
  return concatBytes(utf8('mainframe/request-key/1'), recipient, challenge, keyPackage)
}

/** `undefined` for whatever is no letter of this version; never throws. */
export function decodeLetter(bytes: Uint8Array): Letter | undefined {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined
  const body = bytes.subarray(MAGIC.length + 1)
  switch (bytes[MAGIC.length]) {
    case KINDS.request:
      return decodeRequest(body)
    case KINDS.accept: {
      const [proof, welcome] = splitAt(body, PROOF_BYTES)
      return welcome && { kind: 'accept', proof, welcome }
    }
    case KINDS.talk:
    case KINDS.aside: {
      const kind = bytes[MAGIC.length] === KINDS.talk ? 'talk' : 'aside'
      const [conversationId, rest] = splitAt(body, ID_BYTES)
      return rest && { kind, conversationId, bytes: rest }
    }
    case KINDS.welcome:
      return body.length > 0 ? { kind: 'welcome', welcome: body.slice() } : undefined
    default:
      return undefined
  }
}

function decodeRequest(body: Uint8Array): RequestLetter | undefined {
  if (body.length <= REQUEST_HEAD_BYTES) return undefined
  if (body.length > REQUEST_HEAD_BYTES + MAX_KEY_PACKAGE_BYTES) return undefined
  const nonce = body.slice(0, NONCE_BYTES)
  const challenge = body.slice(NONCE_BYTES, NONCE_BYTES + CHALLENGE_BYTES)
  const signature = body.slice(NONCE_BYTES + CHALLENGE_BYTES, TEXT_AT)
  const text = body.subarray(TEXT_AT + 2, REQUEST_HEAD_BYTES)
  const length = viewOf(body).getUint16(TEXT_AT)
  if (length > MAX_INTRODUCTION_BYTES || text.subarray(length).some((byte) => byte !== 0)) {
    return undefined
  }
  const introduction = decodeText(text.subarray(0, length))
  if (introduction === undefined) return undefined
  const keyPackage = body.slice(REQUEST_HEAD_BYTES)
  return { kind: 'request', nonce, challenge, signature, introduction, keyPackage }
}

/** Text of people; `undefined` for what is no UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Two copies; the second is there only when it is not empty. */
function splitAt(bytes: Uint8Array, length: number): [Uint8Array, Uint8Array | undefined] {
  const rest = bytes.length > length ? bytes.slice(length) : undefined
  return [bytes.slice(0, length), rest]
}
