import type { BytesLike, EventLog, Log } from 'ethers'
import type { PriceBoard, ServiceRegistry } from '../../../types/typechain/index.ts'
import { ethers } from './chain.ts'

/** A registry or board and the head that its logs lead to. */
export interface Replayed {
  seq: bigint
  head: string
}

const coder = ethers.AbiCoder.defaultAbiCoder()
const { keccak256 } = ethers

export interface RecordInput {
  manager: string
  payee: string
  sealKey: string
  multiaddrs: BytesLike
  metadata: BytesLike
}

/** The three hashes of a record, written anew from the interface's text. */
export function hashRecord({ manager, payee, sealKey, multiaddrs, metadata }: RecordInput) {
  const contentHash = keccak256(
    coder.encode(['bytes32', 'bytes32'], [keccak256(multiaddrs), keccak256(metadata)]),
  )
  const bodyHash = keccak256(
    coder.encode(['address', 'bytes32', 'bytes32'], [payee, sealKey, contentHash]),
  )
  const recordHash = keccak256(coder.encode(['address', 'bytes32'], [manager, bodyHash]))
  return { recordHash, bodyHash, contentHash }
}

/** Kind and data of each event, from its log alone. */
function material(log: EventLog): { kind: number; types: string[]; values: unknown[] } {
  const a = log.args
  switch (log.eventName) {
    case 'Registered':
      return {
        kind: 1,
        types: ['bytes32', 'address', 'bytes32', 'bytes32', 'bytes32', 'uint96'],
        values: [
          a.nodeId,
          a.operator,
          a.nodeKey,
          hashRecord(a.record).recordHash,
          keccak256(a.signature),
          a.stake,
        ],
      }
    case 'Updated':
      return {
        kind: 2,
        types: ['bytes32', 'bytes32'],
        values: [a.nodeId, hashRecord(a.record).recordHash],
      }
    case 'StakeAdded':
      return { kind: 3, types: ['bytes32', 'uint96'], values: [a.nodeId, a.stake] }
    case 'UnstakeBegun':
      return { kind: 4, types: ['bytes32', 'uint40'], values: [a.nodeId, a.unlockAt] }
    case 'StakeWithdrawn':
      return {
        kind: 5,
        types: ['bytes32', 'address', 'uint96'],
        values: [a.nodeId, a.to, a.amount],
      }
    default:
      return {
        kind: 6,
        types: ['bytes32', 'bytes32', 'address', 'uint256'],
        values: [a.nodeId, a.service, a.token, a.schedule],
      }
  }
}

/** Replays logs from nothing. */
export function replay(logs: (EventLog | Log)[]): Replayed {
  let state: Replayed = { seq: 0n, head: `0x${'00'.repeat(24)}` }
  for (const log of logs as EventLog[]) {
    const { kind, types, values } = material(log)
    const data = coder.encode(['uint256', ...types], [log.blockNumber, ...values])
    const seq = state.seq + 1n
    const hash = keccak256(
      coder.encode(
        ['bytes24', 'uint64', 'uint8', 'bytes32'],
        [state.head, seq, kind, keccak256(data)],
      ),
    )
    state = { seq, head: ethers.dataSlice(hash, 0, 24) }
  }
  return state
}

/** All logs of a contract in their order. */
export async function logsOf(contract: ServiceRegistry | PriceBoard): Promise<EventLog[]> {
  const logs = await (contract as ServiceRegistry).queryFilter('*' as never, 0)
  return logs as unknown as EventLog[]
}

/** The continuity slot as the contract keeps it, read from storage slot 0. */
export async function storedHead(contract: ServiceRegistry | PriceBoard): Promise<Replayed> {
  const word = await continuityWord(contract)
  return { seq: BigInt(ethers.dataSlice(word, 24)), head: ethers.dataSlice(word, 0, 24) }
}

/** The word that the newest event must carry. */
export async function continuityWord(contract: ServiceRegistry | PriceBoard): Promise<string> {
  return ethers.provider.getStorage(await contract.getAddress(), 0)
}
