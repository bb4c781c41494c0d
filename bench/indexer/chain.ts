/** A process that makes up a chain of 50 events a block and serves it over JSON-RPC. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { encodeLogHead, GENESIS_HEAD, type Hex, type LogHead, toHex } from '@mainframe/protocol'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { onNote, settingsOf, tellBench } from '../world/child.ts'
import { preciseNowMs } from '../world/statistics.ts'
import { BENCH_DEPLOYMENT, EventSource } from './events.ts'

export interface ChainSettings {
  /** Blocks with events that exist from the start. */
  blocks: number
}

interface Block {
  header: string
  hash: Hex
  /** The logs as JSON, each with a comma after it: kept as they are sent. */
  logs: Buffer
  registry: LogHead
  board: LogHead
}

const quantity = (value: number): Hex => `0x${value.toString(16)}`
const GENESIS_TIME = 1_700_000_000
const ALL_ONES = `0x${'f'.repeat(512)}`
const OPEN = Buffer.from('[')
const CLOSE = Buffer.from(']')
const NO_BITS = `0x${'0'.repeat(512)}`

const source = new EventSource()
const blocks: Block[] = []
const byHash = new Map<string, Block>()

function mine(events: boolean): void {
  const number = blocks.length
  const parent = blocks.at(-1)
  const hash = toHex(keccak_256(new Uint8Array(new BigUint64Array([BigInt(number)]).buffer)))
  const before = {
    registry: parent?.registry ?? GENESIS_HEAD,
    board: parent?.board ?? GENESIS_HEAD,
  }
  const { logs, ...heads } = events ? source.block(number, before) : { logs: [], ...before }
  const place = { blockNumber: quantity(number), blockHash: hash }
  const header = {
    number: quantity(number),
    hash,
    parentHash: parent?.hash ?? `0x${'00'.repeat(32)}`,
    timestamp: quantity(GENESIS_TIME + number),
    logsBloom: logs.length > 0 ? ALL_ONES : NO_BITS,
  }
  const json = logs.map((log, i) =>
    JSON.stringify({ ...log, ...place, transactionHash: hash, logIndex: quantity(i) }),
  )
  const block = {
    header: JSON.stringify(header),
    hash,
    logs: Buffer.from(json.map((log) => `${log},`).join('')),
    ...heads,
  }
  blocks.push(block)
  byHash.set(hash, block)
}

function answer(method: string, params: unknown[]): string | Buffer {
  const [first, , at] = params
  if (method === 'eth_chainId') return `"${quantity(BENCH_DEPLOYMENT.chainId)}"`
  if (method === 'eth_getBlockByNumber') {
    return (first === 'latest' ? blocks.at(-1) : blocks[Number(first)])?.header ?? 'null'
  }
  if (method === 'eth_getStorageAt') {
    const block = byHash.get((at as { blockHash: string }).blockHash)
    const head = first === BENCH_DEPLOYMENT.board ? block?.board : block?.registry
    return `"${encodeLogHead(head ?? GENESIS_HEAD)}"`
  }
  const { blockHash, fromBlock, toBlock } = first as Record<string, string | undefined>
  const wanted = blockHash
    ? [byHash.get(blockHash)]
    : blocks.slice(Number(fromBlock), Number(toBlock) + 1)
  const logs = Buffer.concat(wanted.flatMap((block) => (block ? [block.logs] : [])))
  return logs.length === 0 ? '[]' : Buffer.concat([OPEN, logs.subarray(0, -1), CLOSE])
}

const { blocks: count } = await settingsOf<ChainSettings>()
mine(false)
for (let i = 0; i < count; i++) mine(true)
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString())
  response.setHeader('content-type', 'application/json')
  response.write(`{"jsonrpc":"2.0","id":${id},"result":`)
  response.write(answer(method, params))
  response.end('}')
})
server.listen(0, '127.0.0.1', () => {
  tellBench('ready', { port: (server.address() as AddressInfo).port })
})
onNote('mine', ({ empty }) => {
  mine(empty !== true)
  tellBench('mined', { number: blocks.length - 1, at: preciseNowMs() })
})
