/**
 * A chain in the test's hand: JSON-RPC over HTTP in front of a list of blocks that can be cut back
 * and mined anew. Its logs are encoded as the contracts emit them, continuity heads and all.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  advanceHead,
  type ChainEvent,
  type Deployment,
  decodeLog,
  encodeLogHead,
  encodeSchedule,
  fromHex,
  GENESIS_HEAD,
  type Hex,
  type LogHead,
  nodeIdOf,
  paymentChannelsAbi,
  priceBoardAbi,
  type RawLog,
  serviceRegistryAbi,
  signRegistration,
  toHex,
} from '@mainframe/protocol'
import { ed25519 } from '@noble/curves/ed25519.js'
import { Interface, id, keccak256 } from 'ethers'

export const DEPLOYMENT: Deployment = {
  chainId: 31_337,
  block: 1,
  token: `0x${'aa'.repeat(20)}`,
  registry: `0x${'bb'.repeat(20)}`,
  board: `0x${'cc'.repeat(20)}`,
  channels: `0x${'dd'.repeat(20)}`,
}

const registryInterface = new Interface(serviceRegistryAbi)
const boardInterface = new Interface(priceBoardAbi)
const channelsInterface = new Interface(paymentChannelsAbi)
const GENESIS_TIME = 1_700_000_000

/** 32 bytes that follow from a name. */
export const word = (name: string) => id(name) as Hex
/** An account that follows from a name. */
export const account = (name: string) => id(name).slice(0, 42) as Hex

interface PriceAction {
  service: string
  price: bigint
  next?: bigint
  nextFrom?: number
  active?: boolean
  unit?: number
}

/** What makes one log. */
type LogAction =
  | Exclude<Action, { type: 'prices' }>
  | { type: 'price'; node: string; row: PriceAction }

/** What happens in a block. Nodes, channels and accounts are names. */
export type Action =
  | { type: 'register'; node: string; stake?: bigint; badSignature?: boolean; multiaddrs?: string }
  | { type: 'update'; node: string; sealKey: string }
  | { type: 'addStake'; node: string; stake: bigint }
  | { type: 'unstake'; node: string }
  | { type: 'prices'; node: string; rows: PriceAction[] }
  | { type: 'open'; channel: string; payer: string; payee: string; deposit: bigint; epoch?: number }
  | { type: 'topUp'; channel: string; deposit: bigint }
  | { type: 'claim'; channel: string; claimed: bigint }
  | { type: 'requestClose'; channel: string }
  | { type: 'close'; channel: string; claimed: bigint }
  | { type: 'deposit'; owner: string }

export interface FakeBlock {
  number: number
  hash: Hex
  parentHash: Hex
  time: number
  logs: RawLog[]
  registry: LogHead
  board: LogHead
}

/** The operator of a node: nodes with the same name up to a slash have the same one. */
export function operatorOf(node: string): Hex {
  return account(`operator ${node.split('/')[0]}`)
}

/** The registry's id of a node that {@link Action} calls by name. */
export function nodeIdOfName(node: string): Hex {
  return toHex(nodeIdOf(fromHex(operatorOf(node)), nodeKeyOf(node)))
}

/** Keys and signatures are most of the work of a block, and asked for again and again. */
function remembered<V>(make: (name: string) => V): (name: string) => V {
  const known = new Map<string, V>()
  return (name) => {
    const value = known.get(name) ?? make(name)
    known.set(name, value)
    return value
  }
}

const nodeKeyOf = remembered((node) => ed25519.getPublicKey(fromHex(word(`seed ${node}`))))

const signatureOf = remembered((node) => signedBy(node, node))

function signedBy(signer: string, node: string): Uint8Array {
  return signRegistration(fromHex(word(`seed ${signer}`)), {
    chainId: BigInt(DEPLOYMENT.chainId),
    registry: fromHex(DEPLOYMENT.registry),
    operator: fromHex(operatorOf(node)),
  })
}

function recordOf(node: string, sealKey: string, multiaddrs = `/ip4/127.0.0.1/tcp/1/${node}`) {
  return {
    manager: account(`manager ${node}`),
    payee: account(`payee ${node}`),
    sealKey: word(sealKey),
    multiaddrs: toHex(new TextEncoder().encode(multiaddrs)),
    metadata: '0x',
  }
}

type Draft = Pick<RawLog, 'address' | 'topics' | 'data'>

function draft(
  contract: keyof Deployment,
  source: Interface,
  name: string,
  values: unknown[],
): Draft {
  const { topics, data } = source.encodeEventLog(name, values)
  return { address: DEPLOYMENT[contract] as Hex, topics: topics as Hex[], data: data as Hex }
}

/** Prices that are set together make a log each. */
function logActions(action: Action): LogAction[] {
  if (action.type !== 'prices') return [action]
  return action.rows.map((row) => ({ type: 'price', node: action.node, row }))
}

/** The log of an action, given where the verifiable logs will stand after it. */
function encodeAction(action: LogAction, head: LogHead): Draft {
  const registry = (name: string, values: unknown[]) =>
    draft('registry', registryInterface, name, [...values, encodeLogHead(head)])
  const channels = (name: string, values: unknown[]) =>
    draft('channels', channelsInterface, name, values)
  switch (action.type) {
    case 'register': {
      const { node, stake = 100n, badSignature = false, multiaddrs } = action
      const operator = operatorOf(node)
      const signature = badSignature ? signedBy('thief', node) : signatureOf(node)
      const record = recordOf(node, node, multiaddrs)
      const nodeKey = toHex(nodeKeyOf(node))
      const values = [nodeIdOfName(node), operator, nodeKey, record, toHex(signature), stake]
      return registry('Registered', values)
    }
    case 'update':
      return registry('Updated', [nodeIdOfName(action.node), recordOf(action.node, action.sealKey)])
    case 'addStake':
      return registry('StakeAdded', [nodeIdOfName(action.node), action.stake])
    case 'unstake':
      return registry('UnstakeBegun', [nodeIdOfName(action.node), GENESIS_TIME + 1_000_000])
    case 'price': {
      const { service, price, next = price, nextFrom = 0, active = true, unit = 0 } = action.row
      const schedule = encodeSchedule({ price, next, nextFrom, unit, active })
      const values = [nodeIdOfName(action.node), word(service), DEPLOYMENT.token, schedule]
      return draft('board', boardInterface, 'PriceSet', [...values, encodeLogHead(head)])
    }
    case 'open': {
      const { channel, payer, payee, deposit, epoch = 1 } = action
      const parties = [account(payer), account(payee), DEPLOYMENT.token, account(payer)]
      return channels('Opened', [word(channel), ...parties, 3_600, epoch, deposit])
    }
    case 'topUp':
      return channels('ToppedUp', [word(action.channel), action.deposit])
    case 'claim':
      return channels('Claimed', [word(action.channel), account('payee'), action.claimed])
    case 'requestClose':
      return channels('CloseRequested', [word(action.channel), account('payee'), GENESIS_TIME])
    case 'close':
      return channels('Closed', [word(action.channel), account('payee'), action.claimed, 0])
    case 'deposit':
      return channels('Deposited', [account(action.owner), DEPLOYMENT.token, 1n])
  }
}

/** Changes an answer, or throws to refuse the call; an error's `status` is that of the response. */
export type Tamper = (method: string, result: unknown, params: readonly unknown[]) => unknown

export class FakeChain {
  blocks: FakeBlock[] = []
  tamper: Tamper = (_method, result) => result
  chainId = DEPLOYMENT.chainId
  /** Methods in the order they were called. */
  readonly calls: string[] = []
  #salt = 0

  constructor() {
    this.mine()
  }

  get head(): FakeBlock {
    return this.blocks.at(-1) as FakeBlock
  }

  /** Appends a block; the hash differs from every earlier block's. */
  mine(actions: readonly Action[] = []): FakeBlock {
    const parent = this.blocks.at(-1)
    const number = parent ? parent.number + 1 : 0
    const hash = keccak256(`0x${(this.#salt++).toString(16).padStart(64, '0')}`) as Hex
    const block: FakeBlock = {
      number,
      hash,
      parentHash: parent?.hash ?? `0x${'00'.repeat(32)}`,
      time: GENESIS_TIME + number,
      logs: [],
      registry: parent?.registry ?? GENESIS_HEAD,
      board: parent?.board ?? GENESIS_HEAD,
    }
    for (const action of actions.flatMap(logActions)) block.logs.push(this.#emit(block, action))
    this.blocks.push(block)
    return block
  }

  /** Forgets the newest blocks. */
  cut(count: number): void {
    this.blocks.length = Math.max(1, this.blocks.length - count)
  }

  #emit(block: FakeBlock, action: LogAction): RawLog {
    const logIndex = block.logs.length
    const place = {
      blockNumber: quantity(block.number),
      blockHash: block.hash,
      transactionHash: keccak256(`${block.hash}${logIndex.toString(16).padStart(4, '0')}`) as Hex,
      logIndex: quantity(logIndex),
    }
    // the head covers the event's data, so the event is read once before its head is known
    const blank = { ...place, ...encodeAction(action, GENESIS_HEAD) }
    const event = decodeLog(blank, DEPLOYMENT) as ChainEvent | undefined
    if (!event || !('seq' in event)) return blank
    const contract = event.type === 'PriceSet' ? 'board' : 'registry'
    block[contract] = advanceHead(block[contract], event)
    return { ...place, ...encodeAction(action, block[contract]) }
  }

  answer(method: string, params: readonly unknown[]): unknown {
    this.calls.push(method)
    const [first] = params
    if (method === 'eth_chainId') return quantity(this.chainId)
    if (method === 'eth_getBlockByNumber') {
      const block = first === 'latest' ? this.head : this.blocks[Number(first)]
      return block ? headerJson(block) : null
    }
    if (method === 'eth_getStorageAt') {
      const { blockHash: at } = params[2] as { blockHash: Hex }
      const block = this.blocks.find(({ hash }) => hash === at)
      if (!block) throw new Error('unknown block')
      const { seq, head } = first === DEPLOYMENT.board ? block.board : block.registry
      return encodeLogHead({ seq, head })
    }
    const { blockHash, fromBlock, toBlock } = first as { [key: string]: Hex | undefined }
    const wanted = this.blocks.filter((block) =>
      blockHash
        ? block.hash === blockHash
        : block.number >= Number(fromBlock) && block.number <= Number(toBlock),
    )
    if (blockHash && wanted.length === 0) throw new Error('unknown block')
    return wanted.flatMap((block) => block.logs)
  }
}

function quantity(value: number): Hex {
  return `0x${value.toString(16)}`
}

function headerJson({ number, hash, parentHash, time, logs }: FakeBlock) {
  // all ones is a valid, if unhelpful, bloom filter of any logs
  const logsBloom = `0x${(logs.length > 0 ? 'f' : '0').repeat(512)}`
  return { number: quantity(number), hash, parentHash, timestamp: quantity(time), logsBloom }
}

/** Serves a chain until the returned function is called. */
export async function serveChain(
  chain: FakeChain,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { id: callId, method, params } = JSON.parse(Buffer.concat(chunks).toString())
    const answer = { jsonrpc: '2.0', id: callId }
    response.setHeader('content-type', 'application/json')
    try {
      const result = chain.tamper(method, chain.answer(method, params), params)
      response.end(JSON.stringify({ ...answer, result }))
    } catch (error) {
      const { message, status = 200 } = error as Error & { status?: number }
      response.statusCode = status
      response.end(JSON.stringify({ ...answer, error: { code: -32_000, message } }))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
