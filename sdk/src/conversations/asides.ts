/** What members say to each other one to one, when they no longer read each other (docs/conversations.md). */
import { concatBytes } from '@mainframe/protocol'
import { bytesOf } from './message.ts'
import { nameOf, readerOf, u48 } from './reader.ts'

/** Where somebody stands: the newest epoch that it knows. */
export interface Standing {
  epoch: number
  /** 32 hex digits. */
  epochId: string
}

export type Aside = Standing & {
  /** 32 random bytes of the question, which its answer repeats. */
  challenge: Uint8Array
} & (
    | { kind: 'question' }
    /** `sealFor` is the public inbox key of the epoch; `groupInfo` is empty for who is no member of it. */
    | { kind: 'answer'; sealFor: Uint8Array; groupInfo: Uint8Array }
  )

const VERSION = 1
const KINDS = { question: 1, answer: 2 } as const
const ID_BYTES = 16
const KEY_BYTES = 32

export function encodeAside(aside: Aside): Uint8Array {
  return concatBytes(
    Uint8Array.of(VERSION, KINDS[aside.kind]),
    u48(aside.epoch),
    bytesOf(aside.epochId),
    aside.challenge,
    ...(aside.kind === 'answer' ? [aside.sealFor, aside.groupInfo] : []),
  )
}

/** `undefined` for whatever is none; never throws. */
export function decodeAside(bytes: Uint8Array): Aside | undefined {
  const reader = readerOf(bytes)
  const version = reader.u8()
  const kind = reader.u8()
  const epoch = reader.u48()
  const epochId = nameOf(reader.bytes(ID_BYTES))
  const common = { epoch, epochId, challenge: reader.bytes(KEY_BYTES) }
  if (version !== VERSION) return undefined
  if (kind === KINDS.question) return reader.finish({ ...common, kind: 'question' as const })
  if (kind !== KINDS.answer) return undefined
  const sealFor = reader.bytes(KEY_BYTES)
  return reader.finish({ ...common, kind: 'answer' as const, sealFor, groupInfo: reader.rest() })
}

/** Whether one is further than the other: deeper, or as deep with the lower id. */
export function isFurther(one: Standing, other: Standing): boolean {
  if (one.epoch !== other.epoch) return one.epoch > other.epoch
  return one.epochId < other.epochId
}
