/** The least indexer that there can be: reads the logs of a real chain at every request. */
import {
  type ApiLogLine,
  type ApiNode,
  type ApiPrice,
  currentPrice,
  decodeLog,
  decodeMultiaddrs,
  fromHex,
  type Hex,
  type NodeRow,
  type PriceRow,
  type RawLog,
  reduceNode,
  reducePrice,
  relayAddress,
  toHex,
} from '@mainframe/protocol'
import { toQuantity } from 'ethers'
import type { Fetch } from '../../../sdk/src/directory/indexer-api.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { logAnswer } from './registry-lines.ts'

interface Block {
  number: Hex
  hash: Hex
  timestamp: Hex
}

/** Answers like an indexer. `lie` may change the nodes before they leave. */
export function logIndexer(chain: TestChain, lie: (nodes: ApiNode[]) => void = () => {}): Fetch {
  return (async (input: URL) => {
    const block = await chain.request<Block>('eth_getBlockByNumber', ['latest', false])
    const meta = metaOf(chain, block)
    if (input.pathname.endsWith('/network')) return Response.json({ meta, users: 0 })
    if (input.pathname.endsWith('/log')) {
      return logAnswer(meta, await readLines(chain, meta.block.number), input)
    }
    const nodes = await readNodes(chain, meta.block)
    lie(nodes)
    return Response.json({ meta, nodes, next: null })
  }) as Fetch
}

async function readLines({ request, deployment }: TestChain, toBlock: number) {
  const logs = await request<RawLog[]>('eth_getLogs', [
    {
      address: deployment.registry,
      fromBlock: toQuantity(deployment.block),
      toBlock: toQuantity(toBlock),
    },
  ])
  return logs.flatMap((log): ApiLogLine[] => {
    const event = decodeLog(log, deployment)
    if (!event || !('seq' in event)) return []
    const { blockNumber, logIndex, seq, head } = event
    const { topics, data, blockHash, transactionHash } = log
    const place = { blockNumber, logIndex, blockHash, transactionHash }
    return [{ seq: Number(seq), head, ...place, topics: [...topics], data, seedBlockHash: null }]
  })
}

function metaOf({ deployment }: TestChain, { number, hash, timestamp }: Block) {
  const log = { seq: 0, head: `0x${'00'.repeat(24)}` }
  const block = { number: Number(number), hash, time: Number(timestamp) }
  const { chainId } = deployment
  const rest = { finalized: block.number, now: block.time, registry: log, board: log }
  return { chainId, block, ...rest }
}

async function readNodes(chain: TestChain, head: { number: number; time: number }) {
  const { deployment } = chain
  const filter = {
    address: [deployment.registry, deployment.board],
    fromBlock: toQuantity(deployment.block),
    toBlock: toQuantity(head.number),
  }
  const rows = new Map<Hex, NodeRow>()
  const prices = new Map<Hex, PriceRow[]>()
  for (const log of await chain.request<RawLog[]>('eth_getLogs', [filter])) {
    const event = decodeLog(log, deployment)
    if (!event || !('nodeId' in event)) continue
    if (event.type === 'PriceSet') {
      const old = prices.get(event.nodeId) ?? []
      const changed = reducePrice(event)
      const kept = old.filter(
        ({ service, token }) => service !== changed.service || token !== changed.token,
      )
      prices.set(event.nodeId, [...kept, changed])
      continue
    }
    const row = reduceNode(rows.get(event.nodeId), event)
    if (row) rows.set(event.nodeId, row)
  }
  const active = [...rows.values()].filter((row) => row.active)
  return await Promise.all(
    active.map((row) => apiNode(chain, row, prices.get(row.nodeId) ?? [], head.time)),
  )
}

async function apiNode(chain: TestChain, row: NodeRow, prices: PriceRow[], now: number) {
  const seedBlock = toQuantity(row.registeredBlock + 1)
  const block = await chain.request<Block>('eth_getBlockByNumber', [seedBlock, false])
  const { multiaddrs, stake, ...rest } = row
  const node: ApiNode = {
    ...rest,
    multiaddrs: decodeMultiaddrs(multiaddrs),
    multiaddrsRaw: multiaddrs,
    stake: stake.toString(),
    seedBlockHash: block.hash,
    overlayAddress: toHex(relayAddress(fromHex(row.nodeId), fromHex(block.hash))),
    signed: true,
    prices: prices.map((price): ApiPrice => {
      const { service, token, nextFrom, unit, active } = price
      const current = currentPrice(price, now)
      return {
        service,
        token,
        price: price.price.toString(),
        next: price.next.toString(),
        nextFrom,
        unit,
        active,
        current: current === undefined ? null : current.toString(),
      }
    }),
  }
  return node
}
