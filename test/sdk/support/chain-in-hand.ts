/** The chain of the indexer's tests as a client reads it. */
import {
  type BoardRow,
  type ChainEvent,
  decodeLog,
  type Hex,
  type NodeRow,
  type RawLog,
  recordHash,
  reduceNode,
  reducePrice,
} from '@mainframe/protocol'
import type { DirectoryChain } from '../../../sdk/src/chain/chain.ts'
import { DEPLOYMENT, type FakeBlock, type FakeChain } from '../../indexer/fake-chain.ts'

const headerOf = ({ number, hash, time }: FakeBlock) => ({ number, hash, time })

/** Answers calls by replaying the logs up to their block. */
export function chainInHand(chain: FakeChain): DirectoryChain {
  const upTo = (at: Hex) => {
    const last = chain.blocks.findIndex(({ hash }) => hash === at)
    if (last < 0) throw new Error('unknown block')
    return chain.blocks.slice(0, last + 1)
  }
  // decoding takes longer than everything else
  const known = new Map<Hex, ChainEvent[]>()
  const events = (at: Hex): ChainEvent[] => {
    const found = known.get(at) ?? upTo(at).flatMap(({ logs }) => logs.flatMap(decode))
    known.set(at, found)
    return found
  }
  return {
    latest: async () => headerOf(chain.head),
    headers: async (numbers) =>
      numbers.map((number) => {
        const block = chain.blocks[number]
        return block && headerOf(block)
      }),
    states: async (ids, at) => {
      const all = events(at)
      return ids.map((id) => stateOf(all, id))
    },
    rows: async (keys, at) => {
      const all = events(at)
      return keys.map((key) => rowOf(all, key))
    },
    logHead: async (contract, at) => {
      const block = upTo(at).at(-1) as FakeBlock
      return block[contract]
    },
    logs: async (from, to) =>
      chain.blocks.slice(from, to + 1).flatMap(({ logs }) => structuredClone(logs)),
  }
}

function decode(log: RawLog): ChainEvent[] {
  const event = decodeLog(log, DEPLOYMENT)
  return event ? [event] : []
}

function stateOf(events: readonly ChainEvent[], id: Hex) {
  let row: NodeRow | undefined
  for (const event of events) {
    if (!('nodeId' in event) || event.type === 'PriceSet' || event.nodeId !== id) continue
    row = reduceNode(row, event)
  }
  const { stake = 0n, registeredBlock = 0, active = false } = row ?? {}
  const hash: Hex = row && active ? recordHash(row) : `0x${'00'.repeat(32)}`
  return { stake, registeredBlock, recordHash: hash }
}

function rowOf(
  events: readonly ChainEvent[],
  key: { nodeId: Hex; service: Hex; token: Hex },
): BoardRow {
  const { service, token } = key
  let row: BoardRow = { service, token, price: 0n, next: 0n, nextFrom: 0, unit: 0, active: false }
  for (const event of events) {
    if (event.type !== 'PriceSet' || event.nodeId !== key.nodeId) continue
    if (event.row.service === service && event.row.token === token) row = reducePrice(event)
  }
  return row
}
