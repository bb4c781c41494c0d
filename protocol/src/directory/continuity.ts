/** The continuity heads of registry and price board, recomputed from events (docs/contracts.md). */
import { AbiCoder, keccak256 } from 'ethers'
import type { Hex } from '../bytes.ts'
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

const coder = AbiCoder.defaultAbiCoder()
const encode = (types: readonly string[], values: readonly unknown[]) =>
  coder.encode(types, values) as Hex
const hash = (types: readonly string[], values: readonly unknown[]) =>
  keccak256(encode(types, values)) as Hex

/** The head after an event, which must equal the one that the event carries. */
export function advanceHead({ seq, head }: LogHead, event: RegistryEvent | BoardEvent): LogHead {
  const { kind, data } = continuityData(event)
  const types = ['bytes24', 'uint64', 'uint8', 'bytes32']
  const digest = hash(types, [head, seq + 1n, kind, keccak256(data)])
  return { seq: seq + 1n, head: digest.slice(0, 50) as Hex }
}

/** Whether `event` is the very next one after `previous`: number and head both fit. */
export function continuesLog(previous: LogHead, event: RegistryEvent | BoardEvent): boolean {
  const next = advanceHead(previous, event)
  return next.seq === event.seq && next.head === event.head
}

/** keccak256 commitment to a record, as the registry stores it. */
export function recordHash({ manager, payee, sealKey, multiaddrs, metadata }: NodeRecord): Hex {
  return hash(['address', 'bytes32'], [manager, bodyHash({ payee, sealKey, multiaddrs, metadata })])
}

/** The part of a record's hash that authorises its manager. */
export function bodyHash(record: Omit<NodeRecord, 'manager'>): Hex {
  const content = hash(
    ['bytes32', 'bytes32'],
    [keccak256(record.multiaddrs), keccak256(record.metadata)],
  )
  return hash(['address', 'bytes32', 'bytes32'], [record.payee, record.sealKey, content])
}

function continuityData(event: RegistryEvent | BoardEvent): { kind: number; data: Hex } {
  const { blockNumber, nodeId } = event
  const start = ['uint256', 'bytes32']
  const place = [blockNumber, nodeId]
  switch (event.type) {
    case 'Registered': {
      const { operator, nodeKey, record, signature, stake } = event
      const types = [...start, 'address', 'bytes32', 'bytes32', 'bytes32', 'uint96']
      const facts = [operator, nodeKey, recordHash(record), keccak256(signature), stake]
      return { kind: 1, data: encode(types, [...place, ...facts]) }
    }
    case 'Updated':
      return { kind: 2, data: encode([...start, 'bytes32'], [...place, recordHash(event.record)]) }
    case 'StakeAdded':
      return { kind: 3, data: encode([...start, 'uint96'], [...place, event.stake]) }
    case 'UnstakeBegun':
      return { kind: 4, data: encode([...start, 'uint40'], [...place, event.unlockAt]) }
    case 'StakeWithdrawn': {
      const types = [...start, 'address', 'uint96']
      return { kind: 5, data: encode(types, [...place, event.to, event.amount]) }
    }
    case 'PriceSet': {
      const { service, token, ...schedule } = event.row
      const types = [...start, 'bytes32', 'address', 'uint256']
      return { kind: 6, data: encode(types, [...place, service, token, encodeSchedule(schedule)]) }
    }
  }
}
