/** A network of registered relays as a chain knows it, and an indexer that tells the truth about it. */
import { createHash } from 'node:crypto'
import {
  type ApiNode,
  type BoardRow,
  currentPrice,
  type Deployment,
  fromHex,
  type Hex,
  MainframeError,
  nodeIdOf,
  recordHash,
  relayAddress,
  signRegistration,
  toHex,
} from '@mainframe/protocol'
import type { DirectoryChain, Header, NodeState } from '../../../sdk/src/chain/chain.ts'
import { HOLD, ROUTE } from '../../../sdk/src/directory/check-node.ts'
import type { Fetch, NodesPage } from '../../../sdk/src/directory/indexer-api.ts'
import { createKeyPairSync } from './ed25519.ts'
import { logAnswer, registryLines } from './registry-lines.ts'
import { hexOf } from './relays.ts'

const account = (text: string): Hex => hexOf(text).slice(0, 42) as Hex

export const deployment: Deployment = {
  chainId: 31_337,
  block: 1,
  token: account('token'),
  registry: account('registry'),
  board: account('board'),
  channels: account('channels'),
}

/** A relay as the chain holds it. */
export interface RegisteredRelay {
  node: ApiNode
  state: NodeState
  rows: { route: BoardRow; hold: BoardRow }
}

export interface FakeNetwork {
  relays: RegisteredRelay[]
  users: number
  head: Header
  chain: DirectoryChain
  /** The registry's log; the chain knows where it ends. */
  log: ReturnType<typeof registryLines>
  /** Pages of an honest answer; change them to lie. */
  pages: NodesPage[]
  fetch: Fetch
  /** Requests so far, by path. */
  asked: string[]
}

const blockHash = (number: number): Hex => hexOf(`block ${number}`)

/** `count` relays, registered in blocks 10, 12…, with the head at block `headNumber`. */
export function fakeNetwork(count: number, { headNumber = 200, nowMs = 0 } = {}): FakeNetwork {
  const head = { number: headNumber, hash: blockHash(headNumber), time: Math.floor(nowMs / 1000) }
  const relays = Array.from({ length: count }, (_, i) => register(`relay ${i}`, 10 + 2 * i))
  const network = { relays, users: 3, head, asked: [] as string[] } as unknown as FakeNetwork
  network.log = registryLines(relays.map(({ node }) => node))
  network.chain = chainOf(network)
  network.pages = [pageOf(network)]
  network.fetch = (async (input: URL) => {
    network.asked.push(input.pathname)
    if (input.pathname.endsWith('/log')) return logAnswer(metaOf(head), network.log.lines, input)
    const body = input.pathname.endsWith('/network') ? statsOf(network) : nextPage(network, input)
    return Response.json(body)
  }) as unknown as Fetch
  return network
}

/** The honest answer about the relays as they are now. */
export function pageOf({ relays, head }: FakeNetwork): NodesPage {
  const nodes = structuredClone(relays.map(({ node }) => node))
  return { meta: metaOf(head), nodes, next: null }
}

function metaOf(head: Header): NodesPage['meta'] {
  const log = { seq: 1, head: toHex(new Uint8Array(24)) }
  const block = { number: head.number, hash: head.hash, time: head.time }
  const { chainId } = deployment
  const finalized = head.number
  return { chainId, block, finalized, now: head.time, registry: log, board: log }
}

function statsOf({ head, users }: FakeNetwork) {
  return { meta: metaOf(head), users }
}

function nextPage({ pages }: FakeNetwork, input: URL): NodesPage | undefined {
  const cursor = input.searchParams.get('cursor')
  return pages[cursor === null ? 0 : Number(cursor)]
}

function chainOf(network: FakeNetwork): DirectoryChain {
  const find = (id: Hex) => network.relays.find(({ node }) => node.nodeId === id)
  const empty = { price: 0n, next: 0n, nextFrom: 0, unit: 0, active: false }
  const inactive = { stake: 0n, registeredBlock: 0, recordHash: toHex(new Uint8Array(32)) }
  return {
    latest: async () => network.head,
    headers: async (numbers) =>
      numbers.map((number) =>
        number > network.head.number
          ? undefined
          : { number, hash: blockHash(number), time: network.head.time },
      ),
    states: async (ids) => ids.map((id) => find(id)?.state ?? inactive),
    rows: async (keys) =>
      keys.map(({ nodeId, service, token }) => {
        const rows = find(nodeId)?.rows
        const row = service === ROUTE ? rows?.route : rows?.hold
        return row ?? { service, token, ...empty }
      }),
    logHead: async () => network.log.end,
    logs: async () => {
      throw new MainframeError('CHAIN_UNREACHABLE', 'this chain gives no logs')
    },
  }
}

function register(name: string, registeredBlock: number): RegisteredRelay {
  const { seed, publicKey } = createKeyPairSync(createHash('sha256').update(name).digest())
  const operator = account(`operator of ${name}`)
  const context = { chainId: 31_337n, registry: fromHex(deployment.registry) }
  const nodeId = toHex(nodeIdOf(fromHex(operator), publicKey))
  const seedBlockHash = blockHash(registeredBlock + 1)
  const record = {
    manager: account(`manager of ${name}`),
    payee: account(`payee of ${name}`),
    sealKey: hexOf(`seal key of ${name}`),
    multiaddrs: toHex(Buffer.from('/ip4/127.0.0.1/tcp/4001')),
    metadata: '0x' as Hex,
  }
  const rows = { route: row(ROUTE, 1000n, 0), hold: row(HOLD, 20n, 1) }
  const { manager, payee, sealKey, multiaddrs: multiaddrsRaw, metadata } = record
  const node: ApiNode = {
    nodeId,
    operator,
    nodeKey: toHex(publicKey),
    manager,
    payee,
    sealKey,
    multiaddrs: ['/ip4/127.0.0.1/tcp/4001'],
    multiaddrsRaw,
    metadata,
    stake: '1000',
    active: true,
    unlockAt: 0,
    registeredBlock,
    updatedBlock: registeredBlock,
    seedBlockHash,
    overlayAddress: toHex(relayAddress(fromHex(nodeId), fromHex(seedBlockHash))),
    signature: toHex(signRegistration(seed, { ...context, operator: fromHex(operator) })),
    signed: true,
    prices: [rows.route, rows.hold].map(apiPrice),
  }
  return {
    node,
    state: { stake: 1000n, registeredBlock, recordHash: recordHash(record) },
    rows,
  }
}

function row(service: Hex, units: bigint, unit: number): BoardRow {
  const price = units * 10n ** 9n
  return { service, token: deployment.token, price, next: price, nextFrom: 0, unit, active: true }
}

export function apiPrice(row: BoardRow) {
  const { price, next, ...rest } = row
  const current = currentPrice(row, 0)
  return { ...rest, price: `${price}`, next: `${next}`, current: current ? `${current}` : null }
}
