/** The continuity heads of registry and price board, recomputed from events (docs/contracts.md). */
import { primitives } from '#primitives'
import { fromHex, type Hex, toHex } from '../bytes.ts'
import type { BoardEvent, NodeRecord, RegistryEvent } from './events.ts'
import { encodeSchedule } from './schedule.ts'

/** Where a contract's verifiable log stands; {@link GENESIS_HEAD} before its first event. */
export interface LogHead {
  seq: bigint
  head: Hex
}

export const GENESIS_HEAD: LogHead = { seq: 0n, head: `0x${'00'.repeat(24)}` }

/** The word that a contract stores, in slot 0, and emits with every event: head, then 8 bytes of seq. */
export function encodeLogHead({ seq, head }: LogHead): Hex {
  return `${head}${seq.toString(16).padStart(16, '0')}`
}

/** The two parts of that word, which has 32 bytes. */
export function decodeLogHead(word: Hex): LogHead {
  return { seq: BigInt(`0x${word.slice(50)}`), head: word.slice(0, 50).toLowerCase() as Hex }
}

/** Numbers are padded to a word on the left, as is an address; `0x…` of other lengths on the right. */
type Word = Hex | number | bigint

/**
 * abi.encode of values that take one word each. An indexer checks every event of the log, and a
 * general encoder took most of that time.
 */
function encode(values: readonly Word[]): Hex {
  return `0x${values.map(encodeWord).join('')}`
}

function encodeWord(value: Word): string {
  if (typeof value !== 'string') return value.toString(16).padStart(64, '0')
  const digits = value.slice(2)
  return digits.length === ADDRESS_DIGITS ? digits.padStart(64, '0') : digits.padEnd(64, '0')
}

const ADDRESS_DIGITS = 40

function keccak256(bytes: Hex): Hex {
  return toHex(primitives.keccak256(fromHex(bytes)))
}

function hash(values: readonly Word[]): Hex {
  return keccak256(encode(values))
}

/** The head after an event, which must equal the one that the event carries. */
export function advanceHead({ seq, head }: LogHead, event: RegistryEvent | BoardEvent): LogHead {
  const { kind, data } = continuityData(event)
  const digest = hash([head, seq + 1n, kind, keccak256(data)])
  return { seq: seq + 1n, head: digest.slice(0, 50) as Hex }
}

/** Whether `event` is the very next one after `previous`: number and head both fit. */
export function continuesLog(previous: LogHead, event: RegistryEvent | BoardEvent): boolean {
  const next = advanceHead(previous, event)
  return next.seq === event.seq && next.head === event.head
}

/** keccak256 commitment to a record, as the registry stores it. */
export function recordHash({ manager, payee, sealKey, multiaddrs, metadata }: NodeRecord): Hex {
  return hash([manager, bodyHash({ payee, sealKey, multiaddrs, metadata })])
}

/** The part of a record's hash that authorises its manager. */
export function bodyHash(record: Omit<NodeRecord, 'manager'>): Hex {
  const content = hash([keccak256(record.multiaddrs), keccak256(record.metadata)])
  return hash([record.payee, record.sealKey, content])
}

function continuityData(event: RegistryEvent | BoardEvent): { kind: number; data: Hex } {
  const { blockNumber, nodeId } = event
  const place = [blockNumber, nodeId] as const
  switch (event.type) {
    case 'Registered': {
      const { operator, nodeKey, record, signature, stake } = event
      const facts = [operator, nodeKey, recordHash(record), keccak256(signature), stake]
      return { kind: 1, data: encode([...place, ...facts]) }
    }
    case 'Updated':
      return { kind: 2, data: encode([...place, recordHash(event.record)]) }
    case 'StakeAdded':
      return { kind: 3, data: encode([...place, event.stake]) }
    case 'UnstakeBegun':
      return { kind: 4, data: encode([...place, event.unlockAt]) }
    case 'StakeWithdrawn':
      return { kind: 5, data: encode([...place, event.to, event.amount]) }
    case 'PriceSet': {
      const { service, token, ...schedule } = event.row
      return { kind: 6, data: encode([...place, service, token, encodeSchedule(schedule)]) }
    }
  }
}
