import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type ApiChannelAnswer,
  type ApiNodeAnswer,
  type ApiNodesAnswer,
  type ApiReadyAnswer,
  fromHex,
  type Hex,
  mainframeTokenAbi,
  nodeIdOf,
  parseDeployment,
  paymentChannelsAbi,
  priceBoardAbi,
  recordHash,
  relayAddress,
  serviceId,
  serviceRegistryAbi,
  signRegistration,
  toHex,
} from '@mainframe/protocol'
import { ed25519 } from '@noble/curves/ed25519.js'
import { Interface, type Result } from 'ethers'
import { bloomMayHold } from '../../indexer/src/chain/bloom.ts'
import { type RunningIndexer, startIndexer } from '../../indexer/src/indexer.ts'
import { startChain, type TestChain } from '../helpers/chain.ts'
import { PGLITE } from './databases.ts'
import { account, word } from './fake-chain.ts'
import { until } from './harness.ts'

const STAKE = 1_000n * 10n ** 18n
const DEPOSIT = 5n * 10n ** 18n
const NOTICE_SECONDS = 3_600
const token = new Interface(mainframeTokenAbi)
const registry = new Interface(serviceRegistryAbi)
const board = new Interface(priceBoardAbi)
const channels = new Interface(paymentChannelsAbi)

describe('an indexer of the real contracts', { timeout: 180_000 }, () => {
  let chain: TestChain
  let indexer: RunningIndexer
  let operator: Hex

  before(async () => {
    chain = await startChain()
    operator = chain.treasury.toLowerCase() as Hex
    indexer = await startIndexer({
      ...(await PGLITE.settings()),
      rpcUrl: chain.rpcUrl,
      rpcRequestsPerSecond: 10_000,
      role: 'both',
      deployment: parseDeployment(chain.deployment),
      host: '127.0.0.1',
      port: 0,
      finalityDepth: 20,
      pollIntervalMs: 20,
      rateLimitPerMinute: 1_000,
      logLevel: 'silent',
    })
  })
  after(async () => {
    await indexer?.stop()
    await chain?.stop()
  })

  const send = (to: string, source: Interface, name: string, args: unknown[]) =>
    chain.transact(operator, to as Hex, source.encodeFunctionData(name, args) as Hex)

  async function call(
    to: string,
    source: Interface,
    name: string,
    args: unknown[],
  ): Promise<Result> {
    const data = source.encodeFunctionData(name, args)
    const answer = await chain.request<string>('eth_call', [{ to, data }, 'latest'])
    return source.decodeFunctionResult(name, answer)
  }

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(indexer.url + path)
    assert.equal(response.status, 200, `${path}: ${response.status}`)
    return (await response.json()) as T
  }

  async function caughtUp(): Promise<void> {
    const { hash } = await chain.request<{ hash: Hex }>('eth_getBlockByNumber', ['latest', false])
    await until(async () => {
      const response = await fetch(`${indexer.url}/v1/nodes`)
      return response.ok && ((await response.json()) as ApiNodesAnswer).meta.block.hash === hash
    }, 'it has the head of the chain')
  }

  function recordOf(name: string) {
    const multiaddrs = toHex(
      new TextEncoder().encode(`/ip4/127.0.0.1/tcp/4001\n/dns4/${name}/tcp/1`),
    )
    const [manager, payee] = [operator, account(`payee ${name}`)]
    return { manager, payee, sealKey: word(name), multiaddrs, metadata: '0x1234' as Hex }
  }

  async function register(name: string): Promise<Hex> {
    const { deployment } = chain
    const seed = fromHex(word(`seed ${name}`))
    const nodeKey = ed25519.getPublicKey(seed)
    const signature = signRegistration(seed, {
      chainId: BigInt(deployment.chainId),
      registry: fromHex(deployment.registry),
      operator: fromHex(operator),
    })
    await send(deployment.token, token, 'approve', [deployment.registry, STAKE])
    const args = [toHex(nodeKey), recordOf(name), STAKE, toHex(signature)]
    await send(deployment.registry, registry, 'register', args)
    return toHex(nodeIdOf(fromHex(operator), nodeKey))
  }

  it('says of nodes, prices and channels what the contracts say', async () => {
    const { deployment } = chain
    const nodeId = await register('one')
    const service = toHex(serviceId('route/1'))
    const proof = toHex(ed25519.getPublicKey(fromHex(word('seed one'))))
    const row = { service, token: deployment.token, price: 7n, unit: 0, active: true }
    await send(deployment.board, board, 'setPrices', [nodeId, proof, [row]])
    const terms = {
      payee: account('payee one'),
      token: deployment.token,
      signer: operator,
      notice: NOTICE_SECONDS,
    }
    await send(deployment.token, token, 'approve', [deployment.channels, DEPOSIT])
    await send(deployment.channels, channels, 'open', [terms, DEPOSIT, 0])
    await send(deployment.channels, channels, 'requestClose', [terms])
    await chain.passTime(5)
    await caughtUp()

    const { node, meta } = await get<ApiNodeAnswer>(`/v1/nodes/${nodeId}`)
    const [states] = await call(deployment.registry, registry, 'states', [[nodeId]])
    assert.equal(node.stake, String(states[0].stake))
    assert.equal(node.registeredBlock, Number(states[0].registeredBlock))
    const { manager, payee, sealKey, multiaddrsRaw: multiaddrs, metadata } = node
    const shown = recordHash({ manager, payee, sealKey, multiaddrs, metadata })
    assert.equal(shown, states[0].recordHash)
    assert.deepEqual(node.multiaddrs, ['/ip4/127.0.0.1/tcp/4001', '/dns4/one/tcp/1'])
    assert.equal(node.signed, true)
    const tag = `0x${(node.registeredBlock + 1).toString(16)}`
    const seed = await chain.request<{ hash: Hex }>('eth_getBlockByNumber', [tag, false])
    const overlayAddress = toHex(relayAddress(fromHex(nodeId), fromHex(seed.hash)))
    assert.equal(node.overlayAddress, overlayAddress)

    const args = [nodeId, service, deployment.token]
    const [price] = await call(deployment.board, board, 'current', args)
    assert.equal(node.prices[0]?.current, String(price))
    assert.equal(price, 7n)

    const [seq, head] = await call(deployment.registry, registry, 'continuity', [])
    assert.deepEqual(meta.registry, { seq: Number(seq), head })
    const [boardSeq, boardHead] = await call(deployment.board, board, 'continuity', [])
    assert.deepEqual(meta.board, { seq: Number(boardSeq), head: boardHead })

    const [id] = await call(deployment.channels, channels, 'idOf', [operator, terms])
    const [slots] = await call(deployment.channels, channels, 'slots', [[id]])
    const { channel } = await get<ApiChannelAnswer>(`/v1/channels/${id}`)
    assert.deepEqual(
      [channel.deposit, channel.claimed, channel.closesAt, channel.epoch, channel.state],
      [
        String(slots[0].deposit),
        String(slots[0].claimed),
        Number(slots[0].closesAt),
        Number(slots[0].epoch),
        'closing',
      ],
    )
  })

  it('reads the bloom filter of a real block', async () => {
    const { registry: address } = parseDeployment(chain.deployment)
    const [log] = await chain.request<{ blockNumber: Hex }[]>('eth_getLogs', [
      { address, fromBlock: '0x0' },
    ])
    const header = await chain.request<{ logsBloom: Hex }>('eth_getBlockByNumber', [
      log?.blockNumber,
      false,
    ])
    assert.equal(bloomMayHold(header.logsBloom, address), true)
    const others = Array.from({ length: 20 }, (_, i) => account(`other ${i}`))
    const taken = others.filter((other) => bloomMayHold(header.logsBloom, other))
    assert.ok(taken.length < 3, `${taken.length} of 20 strangers`)
  })

  it('forgets what a reorganisation of the chain took back', async () => {
    await caughtUp()
    const before = await get<ApiNodesAnswer>('/v1/nodes')
    const snapshot = await chain.snapshot()
    const retracted = await register('retracted')
    await chain.mine(2)
    await caughtUp()
    await get(`/v1/nodes/${retracted}`)

    await chain.revert(snapshot)
    await chain.mine(2)
    const kept = await register('kept')
    await chain.mine(2)
    await caughtUp()
    assert.equal((await fetch(`${indexer.url}/v1/nodes/${retracted}`)).status, 404)
    const { nodes } = await get<ApiNodesAnswer>('/v1/nodes')
    assert.deepEqual(
      nodes.map(({ nodeId }) => nodeId).sort(),
      [...before.nodes.map(({ nodeId }) => nodeId), kept].sort(),
    )
    const { ready } = await get<ApiReadyAnswer>('/readyz')
    assert.equal(ready, true)
  })
})
