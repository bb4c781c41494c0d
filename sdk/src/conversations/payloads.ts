/** What members say inside MLS: messages, and what keeps a conversation together. */
import { concatBytes } from '@mainframe/protocol'
import { MAX_KEY_PACKAGE_BYTES } from '../mls/key-packages.ts'
import { MAX_ASKED, MAX_HEADS, MAX_LACKING, MAX_WHISPER_BYTES } from './limits.ts'
import { bytesOf, encodeRef, type Ref } from './message.ts'
import { nameOf, type Reader, readerOf, u16, u32 } from './reader.ts'

/** What a member has: everything below the heads, but what is lacking and below it. */
export interface Statement {
  heads: readonly Ref[]
  lacking: readonly Ref[]
  /** More is lacking than is named, so nothing follows from the heads. */
  isCut: boolean
}

export type Role = 'admin' | 'member'

/** What a steward is asked to commit. */
export type Wish =
  | { op: 'add'; keyPackage: Uint8Array; role: Role }
  | { op: 'remove'; inboxKey: Uint8Array }
  | { op: 'role'; inboxKey: Uint8Array; role: Role }
  | { op: 'leave' }

export type Payload =
  | { kind: 'message'; bytes: Uint8Array }
  | { kind: 'sync'; wantsAnswer: boolean; statement: Statement }
  | { kind: 'ask'; refs: readonly Ref[] }
  | { kind: 'give'; messages: readonly Uint8Array[] }
  | { kind: 'request'; id: string; wish: Wish }
  | { kind: 'whisper'; type: number; body: Uint8Array }

const KINDS = { message: 1, sync: 2, ask: 3, give: 4, request: 5, whisper: 6 } as const
const OPS = { add: 1, remove: 2, role: 3, leave: 4 } as const
const ROLES = ['member', 'admin'] as const
const ID_BYTES = 16
const KEY_BYTES = 32
const WANTS_ANSWER = 1
const IS_CUT = 2

export function encodePayload(payload: Payload): Uint8Array {
  return concatBytes(Uint8Array.of(KINDS[payload.kind]), encodeBody(payload))
}

function encodeBody(payload: Payload): Uint8Array {
  switch (payload.kind) {
    case 'message':
      return payload.bytes
    case 'sync': {
      const { heads, lacking, isCut } = payload.statement
      const flags = (payload.wantsAnswer ? WANTS_ANSWER : 0) | (isCut ? IS_CUT : 0)
      return concatBytes(Uint8Array.of(flags), encodeRefs(heads), encodeRefs(lacking))
    }
    case 'ask':
      return encodeRefs(payload.refs)
    case 'give':
      return concatBytes(
        Uint8Array.of(payload.messages.length),
        ...payload.messages.flatMap((bytes) => [u32(bytes.length), bytes]),
      )
    case 'request':
      return concatBytes(bytesOf(payload.id), encodeWish(payload.wish))
    case 'whisper':
      return concatBytes(u16(payload.type), payload.body)
  }
}

function encodeRefs(refs: readonly Ref[]): Uint8Array {
  return concatBytes(Uint8Array.of(refs.length), ...refs.map(encodeRef))
}

export function encodeWish(wish: Wish): Uint8Array {
  const op = Uint8Array.of(OPS[wish.op])
  switch (wish.op) {
    case 'add':
      return concatBytes(op, Uint8Array.of(ROLES.indexOf(wish.role)), wish.keyPackage)
    case 'remove':
      return concatBytes(op, wish.inboxKey)
    case 'role':
      return concatBytes(op, Uint8Array.of(ROLES.indexOf(wish.role)), wish.inboxKey)
    case 'leave':
      return op
  }
}

/** `undefined` when the form is wrong or something is over its limit; never throws. */
export function decodePayload(bytes: Uint8Array): Payload | undefined {
  const reader = readerOf(bytes)
  switch (reader.u8()) {
    case KINDS.message:
      return { kind: 'message', bytes: reader.rest() }
    case KINDS.sync:
      return decodeSync(reader)
    case KINDS.ask: {
      const refs = decodeRefs(reader, MAX_ASKED)
      return reader.finish(refs && { kind: 'ask', refs })
    }
    case KINDS.give:
      return decodeGive(reader)
    case KINDS.request: {
      const id = nameOf(reader.bytes(ID_BYTES))
      const wish = decodeWish(reader)
      return reader.finish(wish && { kind: 'request', id, wish })
    }
    case KINDS.whisper: {
      const [type, body] = [reader.u16(), reader.rest()]
      if (body.length > MAX_WHISPER_BYTES) return undefined
      return reader.finish({ kind: 'whisper', type, body })
    }
    default:
      return undefined
  }
}

function decodeSync(reader: Reader): Payload | undefined {
  const flags = reader.u8()
  const heads = decodeRefs(reader, MAX_HEADS)
  const lacking = heads && decodeRefs(reader, MAX_LACKING)
  if (!lacking || flags > (WANTS_ANSWER | IS_CUT)) return undefined
  const statement = { heads, lacking, isCut: (flags & IS_CUT) !== 0 }
  return reader.finish({
    kind: 'sync' as const,
    wantsAnswer: (flags & WANTS_ANSWER) !== 0,
    statement,
  })
}

function decodeGive(reader: Reader): Payload | undefined {
  const count = reader.u8()
  if (count > MAX_ASKED) return undefined
  const messages = Array.from({ length: count }, () => reader.bytes(reader.u32()))
  return reader.finish({ kind: 'give' as const, messages })
}

function decodeRefs(reader: Reader, most: number): Ref[] | undefined {
  const count = reader.u8()
  if (count > most) return undefined
  return Array.from({ length: count }, () => ({
    id: nameOf(reader.bytes(ID_BYTES)),
    lamport: reader.u48(),
  }))
}

/** Reads a wish to its end. */
export function decodeWish(reader: Reader): Wish | undefined {
  switch (reader.u8()) {
    case OPS.add: {
      const role = ROLES[reader.u8()]
      const keyPackage = reader.rest()
      if (!role || keyPackage.length > MAX_KEY_PACKAGE_BYTES) return undefined
      return { op: 'add', keyPackage, role }
    }
    case OPS.remove:
      return { op: 'remove', inboxKey: reader.bytes(KEY_BYTES) }
    case OPS.role: {
      const role = ROLES[reader.u8()]
      return role && { op: 'role', role, inboxKey: reader.bytes(KEY_BYTES) }
    }
    case OPS.leave:
      return { op: 'leave' }
    default:
      return undefined
  }
}
