/** The log of a registry as GET /v1/log tells it, made from relays that a test invented. */
import {
  type ApiLogLine,
  type ApiNode,
  advanceHead,
  encodeLogHead,
  GENESIS_HEAD,
  type Hex,
  type LogHead,
  type RegistryEvent,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import { Interface } from 'ethers'

const registry = new Interface(serviceRegistryAbi)
const NO_HASH: Hex = `0x${'00'.repeat(32)}`

/** A registration for each relay, in this order, and where the log ends. */
export function registryLines(nodes: readonly ApiNode[]): { lines: ApiLogLine[]; end: LogHead } {
  let end = GENESIS_HEAD
  const lines = nodes.map((node): ApiLogLine => {
    const { nodeId, operator, nodeKey, signature, registeredBlock: blockNumber } = node
    const { manager, payee, sealKey, multiaddrsRaw: multiaddrs, metadata } = node
    const record = { manager, payee, sealKey, multiaddrs, metadata }
    const place = { blockNumber, blockHash: NO_HASH, transactionHash: NO_HASH, logIndex: 0 }
    const stake = BigInt(node.stake)
    const facts = {
      type: 'Registered',
      nodeId,
      operator,
      nodeKey,
      record,
      signature,
      stake,
    } as const
    end = advanceHead(end, { ...place, ...facts, ...GENESIS_HEAD } satisfies RegistryEvent)
    const values = [nodeId, operator, nodeKey, record, signature, stake, encodeLogHead(end)]
    const { topics, data } = registry.encodeEventLog('Registered', values)
    const { seedBlockHash } = node
    const log = { topics: topics as Hex[], data: data as Hex, seedBlockHash }
    return { seq: Number(end.seq), head: end.head, ...place, ...log }
  })
  return { lines, end }
}

/** A page of the log from a number on, as an indexer answers it. */
export function logAnswer(meta: unknown, lines: readonly ApiLogLine[], input: URL): Response {
  const from = Number(input.searchParams.get('fromSeq'))
  const page = lines.filter(({ seq }) => seq >= from).slice(0, 1000)
  return new Response([{ meta }, ...page].map((line) => `${JSON.stringify(line)}\n`).join(''))
}
