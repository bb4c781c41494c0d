/** A message of a conversation's history, signed by its sender so that anybody can pass it on. */
import { concatBytes, digest, utf8 } from '@mainframe/protocol'
import { type Identity, sign, verify } from '../mls/identity.ts'
import type { Mls } from '../mls/suites.ts'
import { MAX_BODY_BYTES, MAX_PARENTS } from './limits.ts'
import { nameOf, readerOf, u16, u48 } from './reader.ts'

/** Names a message in a version: one that was sent again has the same id and a higher Lamport time. */
export interface Ref {
  /** 32 hex digits. */
  readonly id: string
  readonly lamport: number
}

export interface Message extends Ref {
  /** 16 random bytes. */
  readonly salt: Uint8Array
  /** Id of the epoch in which it was sent, 32 hex digits. */
  readonly epochId: string
  /** The sender lacked nothing it knew of, so it had everything that is below the parents. */
  readonly isComplete: boolean
  /** Inbox key, 32 bytes. */
  readonly sender: Uint8Array
  /** What the body is; 0 is text. */
  readonly kind: number
  /** The newest that the sender knew. */
  readonly parents: readonly Ref[]
  readonly body: Uint8Array
  /** As it goes over the wire, with the signature. */
  readonly bytes: Uint8Array
}

const ID_LABEL = utf8('mainframe/message-id/1')
const SIGNATURE_LABEL = utf8('mainframe/message/1')
const SALT_BYTES = 16
const ID_BYTES = 16
const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const COMPLETE = 1

type Unsigned = Omit<Message, 'id' | 'bytes' | 'sender'>

/** Signs a message; its id follows from what never changes when it is sent again. */
export async function signMessage(
  mls: Mls,
  identity: Identity,
  conversationId: Uint8Array,
  message: Unsigned,
): Promise<Message> {
  const signed = { ...message, sender: identity.inboxKey }
  const text = encodeUnsigned(signed)
  const signature = await sign(
    mls,
    identity.signatureSecret,
    concatBytes(SIGNATURE_LABEL, conversationId, text),
  )
  return {
    ...signed,
    id: messageId(conversationId, signed),
    bytes: concatBytes(text, signature),
  }
}

/** Whether the signature is that of a key. */
export function isSigned(
  mls: Mls,
  conversationId: Uint8Array,
  message: Message,
  signatureKey: Uint8Array,
): Promise<boolean> {
  const end = message.bytes.length - SIGNATURE_BYTES
  const text = concatBytes(SIGNATURE_LABEL, conversationId, message.bytes.subarray(0, end))
  return verify(mls, { signatureKey, text, signature: message.bytes.subarray(end) })
}

/**
 * The id is a hash of salt, sender, kind and body: nobody can take another's id, nor say two things
 * under one of his own.
 */
function messageId(
  conversationId: Uint8Array,
  message: Pick<Message, 'salt' | 'sender' | 'kind' | 'body'>,
): string {
  const { salt, sender, kind, body } = message
  const hash = digest(ID_LABEL, conversationId, salt, sender, u16(kind), body)
  return nameOf(hash.subarray(0, ID_BYTES))
}

function encodeUnsigned(message: Omit<Message, 'id' | 'bytes'>): Uint8Array {
  return concatBytes(
    message.salt,
    u48(message.lamport),
    bytesOf(message.epochId),
    Uint8Array.of(message.isComplete ? COMPLETE : 0),
    message.sender,
    u16(message.kind),
    Uint8Array.of(message.parents.length),
    ...message.parents.map(encodeRef),
    message.body,
  )
}

/** A message from its bytes; the signature is not looked at. `undefined` when the form is wrong. */
export function decodeMessage(conversationId: Uint8Array, bytes: Uint8Array): Message | undefined {
  const reader = readerOf(bytes)
  const head = {
    salt: reader.bytes(SALT_BYTES),
    lamport: reader.u48(),
    epochId: nameOf(reader.bytes(ID_BYTES)),
    flags: reader.u8(),
    sender: reader.bytes(KEY_BYTES),
    kind: reader.u16(),
  }
  const count = reader.u8()
  if (count > MAX_PARENTS || head.flags > COMPLETE || head.lamport === 0) return undefined
  const parents = Array.from({ length: count }, () => ({
    id: nameOf(reader.bytes(ID_BYTES)),
    lamport: reader.u48(),
  }))
  const body = reader.rest(SIGNATURE_BYTES)
  reader.bytes(SIGNATURE_BYTES)
  if (body.length > MAX_BODY_BYTES) return undefined
  const { flags, ...fields } = head
  const message = { ...fields, isComplete: flags === COMPLETE, parents, body, bytes }
  return reader.finish({ ...message, id: messageId(conversationId, message) })
}

export function encodeRef({ id, lamport }: Ref): Uint8Array {
  return concatBytes(bytesOf(id), u48(lamport))
}

/** Bytes of a name in hex. */
export function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(name.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
}

/** The order of a history: by Lamport time, then by id. */
export function compareRefs(a: Ref, b: Ref): number {
  return a.lamport - b.lamport || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
