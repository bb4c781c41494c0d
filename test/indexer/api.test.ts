import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type ApiChannelAnswer,
  type ApiChannelsAnswer,
  type ApiClosestAnswer,
  type ApiDiscoverAnswer,
  type ApiNetworkAnswer,
  type ApiNode,
  type ApiNodeAnswer,
  type ApiNodesAnswer,
  type ApiPricesSummaryAnswer,
  type ApiProblem,
  type ApiReadyAnswer,
  type ApiServiceOffersAnswer,
  type ApiServicesAnswer,
  compareDistance,
  fromHex,
  type Hex,
  matchesPrefix,
  medianOf,
  rankOffers,
  recordHash,
  relayAddress,
  toHex,
} from '@mainframe/protocol'
import { METRICS } from '../../indexer/src/http/metrics.ts'
import { type RunningIndexer, startIndexer } from '../../indexer/src/indexer.ts'
import { DATABASES, PGLITE } from './databases.ts'
import {
  type Action,
  account,
  DEPLOYMENT,
  FakeChain,
  nodeIdOfName,
  operatorOf,
  serveChain,
  word,
} from './fake-chain.ts'
import { until } from './harness.ts'

const FAR_FUTURE = 4_000_000_000
const RELAYS = Array.from({ length: 30 }, (_, i) => `relay${i % 20}/${i}`)
const UNLISTED = ['unsigned', 'retired']

/** 30 relays of 20 operators, most with prices, and two nodes that must not be listed. */
function populate(chain: FakeChain): void {
  for (const [i, node] of RELAYS.entries()) {
    chain.mine([
      { type: 'register', node, stake: BigInt(100 + i) },
      ...(i % 5 === 4 ? [] : [pricesOf(node, BigInt(10 + i))]),
    ])
  }
  chain.mine([
    { type: 'register', node: 'unsigned', badSignature: true },
    { type: 'register', node: 'retired' },
    pricesOf('unsigned', 1n),
    pricesOf('retired', 1n),
    { type: 'unstake', node: 'retired' },
    // not for sale before a time that has not come
    {
      type: 'prices',
      node: 'relay4/4',
      rows: [{ service: 'route/1', price: 0n, next: 3n, nextFrom: FAR_FUTURE }],
    },
  ])
  chain.mine([
    { type: 'open', channel: 'one', payer: 'alice', payee: 'payee relay0/0', deposit: 2n ** 95n },
    { type: 'open', channel: 'two', payer: 'bob', payee: 'payee relay1/1', deposit: 5n },
    { type: 'open', channel: 'three', payer: 'alice', payee: 'payee relay1/1', deposit: 5n },
    // a relay that pays another is no user, and a closed channel makes none
    {
      type: 'open',
      channel: 'four',
      payer: 'payee relay0/0',
      payee: 'payee relay1/1',
      deposit: 5n,
    },
    { type: 'open', channel: 'five', payer: 'carol', payee: 'payee relay1/1', deposit: 5n },
    { type: 'claim', channel: 'one', claimed: 7n },
    { type: 'close', channel: 'five', claimed: 1n },
  ])
  chain.mine()
}

function pricesOf(node: string, price: bigint): Action {
  const rows = [
    { service: 'route/1', price },
    { service: 'hold/1', price: 2n * price, next: 3n * price, nextFrom: FAR_FUTURE },
  ]
  return { type: 'prices', node, rows }
}

for (const { name, skip, settings } of DATABASES) {
  describe(`the HTTP interface on ${name}`, { skip }, () => {
    const chain = new FakeChain()
    populate(chain)
    let rpc: { url: string; close(): Promise<void> }
    let indexer: RunningIndexer

    before(async () => {
      rpc = await serveChain(chain)
      indexer = await startIndexer({
        ...(await settings()),
        rpcUrl: rpc.url,
        rpcRequestsPerSecond: 10_000,
        role: 'both',
        deployment: DEPLOYMENT,
        host: '127.0.0.1',
        port: 0,
        finalityDepth: 10,
        pollIntervalMs: 20,
        rateLimitPerMinute: 100,
        logLevel: 'silent',
      })
      await until(async () => {
        const ready = (await (await fetch(`${indexer.url}/readyz`)).json()) as ApiReadyAnswer
        return ready.ready && ready.block === chain.head.number
      }, 'the indexer is ready')
    })
    after(async () => {
      await indexer?.stop()
      await rpc?.close()
    })

    async function get<T>(path: string, init?: RequestInit): Promise<T> {
      const response = await fetch(indexer.url + path, init)
      assert.equal(response.status, 200, `${path}: ${response.status}`)
      return (await response.json()) as T
    }

    const post = (path: string, body: unknown) => ({
      path,
      init: {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      },
    })

    async function discover(body: object): Promise<ApiDiscoverAnswer> {
      const { path, init } = post('/v1/discover', body)
      return get<ApiDiscoverAnswer>(path, init)
    }

    async function allNodes(query = ''): Promise<ApiNode[]> {
      const nodes: ApiNode[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const from: string = cursor && `&cursor=${cursor}`
        const page: ApiNodesAnswer = await get(`/v1/nodes?limit=7${query}${from}`)
        assert.ok(page.nodes.length <= 7)
        nodes.push(...page.nodes)
        cursor = page.next
      }
      return nodes
    }

    it('refuses bad requests with a problem body and a stable code', async () => {
      const cases: [string, number, string, RequestInit?][] = [
        ['/nowhere', 404, 'INDEXER_NOT_FOUND'],
        ['/v1/nodes/0x12', 400, 'VALIDATION_FAILED'],
        [`/v1/nodes/${word('nobody')}`, 404, 'INDEXER_NOT_FOUND'],
        [`/v1/channels/${word('none')}`, 404, 'INDEXER_NOT_FOUND'],
        ['/v1/nodes?limits=3', 400, 'VALIDATION_FAILED'],
        ['/v1/nodes?limit=0', 400, 'VALIDATION_FAILED'],
        ['/v1/nodes?bits=257', 400, 'VALIDATION_FAILED'],
        ['/v1/nodes?maxPrice=3', 400, 'VALIDATION_FAILED'],
        ['/v1/nodes/closest', 400, 'VALIDATION_FAILED'],
        ['/v1/nodes/closest?to=0x00', 400, 'VALIDATION_FAILED'],
        ['/v1/accounts/alice/channels', 400, 'VALIDATION_FAILED'],
        ['/v1/discover', 400, 'VALIDATION_FAILED', post('', { need: [], seed: '0x00', k: 1 }).init],
        ['/v1/discover', 400, 'VALIDATION_FAILED', post('', { need: ['a'], seed: '', k: 1 }).init],
        ['/v1/discover', 413, 'VALIDATION_FAILED', post('', { need: ['a'.repeat(20_000)] }).init],
        [
          '/v1/discover',
          415,
          'VALIDATION_FAILED',
          { method: 'POST', body: '<a/>', headers: { 'content-type': 'text/xml' } },
        ],
      ]
      for (const [path, status, code, init] of cases) {
        const response = await fetch(indexer.url + path, init)
        const body = (await response.json()) as ApiProblem
        assert.equal(response.status, status, path)
        assert.equal(
          response.headers.get('content-type'),
          'application/problem+json; charset=utf-8',
        )
        assert.equal(body.code, code, path)
        assert.equal(body.status, status)
        assert.ok(body.detail.length > 0 && body.title.length > 0)
      }
    })

    it('lists signed and active relays only, in the order of the overlay, page by page', async () => {
      const nodes = await allNodes()
      assert.deepEqual(nodes.map(({ nodeId }) => nodeId).sort(), RELAYS.map(nodeIdOfName).sort())
      const addresses = nodes.map(({ overlayAddress }) => overlayAddress)
      assert.deepEqual(addresses, [...addresses].sort())
    })

    it('shows a node as the chain has it, listed or not', async () => {
      const { node, meta } = await get<ApiNodeAnswer>(`/v1/nodes/${nodeIdOfName('relay0/0')}`)
      const seed = chain.blocks[node.registeredBlock + 1]?.hash as Hex
      assert.equal(node.operator, operatorOf('relay0/0'))
      assert.equal(node.seedBlockHash, seed)
      const address = relayAddress(fromHex(node.nodeId), fromHex(seed))
      assert.equal(node.overlayAddress, toHex(address))
      assert.deepEqual(node.multiaddrs, ['/ip4/127.0.0.1/tcp/1/relay0/0'])
      assert.equal(node.stake, '100')
      const route = node.prices.find((price) => price.service === word('route/1'))
      assert.equal(route?.current, '10')
      const hold = node.prices.find((price) => price.service === word('hold/1'))
      assert.deepEqual([hold?.current, hold?.next, hold?.nextFrom], ['20', '30', FAR_FUTURE])
      // with these bytes the record's hash can be compared with the chain's
      const { manager, payee, sealKey, multiaddrsRaw: multiaddrs, metadata } = node
      assert.match(recordHash({ manager, payee, sealKey, multiaddrs, metadata }), /^0x/)
      const { number, hash, registry, board } = chain.head
      assert.deepEqual(meta.block.number, number)
      assert.equal(meta.block.hash, hash)
      assert.equal(meta.finalized, number - 10)
      assert.deepEqual(meta.registry, { seq: Number(registry.seq), head: registry.head })
      assert.deepEqual(meta.board, { seq: Number(board.seq), head: board.head })
      for (const unlisted of UNLISTED) {
        const answer = await get<ApiNodeAnswer>(`/v1/nodes/${nodeIdOfName(unlisted)}`)
        assert.equal(answer.node.signed && answer.node.active, false)
      }
    })

    it('finds the relays of a prefix of any number of bits', async () => {
      const nodes = await allNodes()
      for (const bits of [0, 1, 2, 3, 5, 13, 256]) {
        const prefix = nodes[bits % nodes.length]?.overlayAddress as Hex
        const expected = nodes.filter(({ overlayAddress }) =>
          matchesPrefix(fromHex(overlayAddress as Hex), fromHex(prefix), bits),
        )
        const found = await allNodes(`&prefix=${prefix}&bits=${bits}`)
        assert.deepEqual(found, expected, `${bits} bits`)
      }
    })

    it('finds exactly the XOR-closest relays', async () => {
      const nodes = await allNodes()
      for (const [i, k] of [1, 3, 8, 29, 30, 64].entries()) {
        const to = word(`target ${i}`)
        const expected = nodes
          .map((node) => ({ id: node.nodeId, at: fromHex(node.overlayAddress as Hex) }))
          .sort((a, b) => compareDistance(fromHex(to), a.at, b.at))
          .slice(0, k)
        const answer = await get<ApiClosestAnswer>(`/v1/nodes/closest?to=${to}&k=${k}`)
        assert.deepEqual(
          answer.nodes.map(({ nodeId }) => nodeId),
          expected.map(({ id }) => id),
        )
      }
    })

    it('filters by a service that is for sale now, at a price', async () => {
      const nodes = await allNodes()
      const priceOf = (node: ApiNode) =>
        node.prices.find(({ service }) => service === word('route/1'))?.current ?? null
      const selling = nodes.filter((node) => priceOf(node) !== null)
      assert.deepEqual(await allNodes('&service=route/1'), selling)
      const cheap = selling.filter((node) => Number(priceOf(node)) <= 20)
      assert.deepEqual(await allNodes('&service=route%2F1&maxPrice=20'), cheap)
      assert.ok(cheap.length > 3 && cheap.length < selling.length)
      assert.deepEqual(await allNodes(`&service=route/1&token=${account('other')}`), [])
    })

    it('filters by stake, over pages', async () => {
      const nodes = await allNodes()
      const rich = nodes.filter(({ stake }) => Number(stake) >= 110)
      assert.ok(rich.length > 7 && rich.length < nodes.length)
      assert.deepEqual(await allNodes('&minStake=110'), rich)
    })

    it('lists services by id, a page at a time', async () => {
      const first = await get<ApiServicesAnswer>('/v1/services?limit=1')
      const second = await get<ApiServicesAnswer>(`/v1/services?limit=1&cursor=${first.next}`)
      assert.equal(second.next, null)
      const found = [...first.services, ...second.services]
      assert.deepEqual(
        found.map(({ service }) => service),
        ['route/1', 'hold/1'].map(word).sort(),
      )
      assert.deepEqual(found.map(({ name }) => name).sort(), ['hold/1', 'route/1'])
      assert.ok(found.every(({ rows }) => rows >= 26))
    })

    it('draws the network: relays in the order of the ring, with what they earned, and sums', async () => {
      const { topology } = await get<ApiNetworkAnswer>('/v1/network?topology=true')
      assert.ok(topology)
      const nodes = await allNodes()
      assert.deepEqual(
        topology.ring.map(({ nodeId, stake }) => [nodeId, stake]),
        nodes.map(({ nodeId, stake }) => [nodeId, stake]),
      )
      const first = topology.ring.find(({ nodeId }) => nodeId === nodeIdOfName('relay0/0'))
      assert.deepEqual(
        [first?.route, first?.hold, first?.channels, first?.claimed],
        ['10', '20', 1, '7'],
      )
      assert.equal(topology.blocks[0]?.hash, chain.head.hash)
      assert.partialDeepStrictEqual(topology.channels, { open: 4, closed: 1, claimed: '8' })
      assert.equal(topology.stake, String(nodes.reduce((sum, { stake }) => sum + Number(stake), 0)))
    })

    it('answers 304 to who has the answer of this block, until there is another', async () => {
      const url = `${indexer.url}/v1/channels/${word('one')}`
      const etag = (await fetch(url)).headers.get('etag') ?? ''
      assert.match(etag, /^W\//)
      const headers = { 'if-none-match': `"other", ${etag}` }
      const again = await fetch(url, { headers })
      assert.deepEqual([again.status, await again.text()], [304, ''])
      const { hash } = chain.mine()
      await until(async () => {
        const { meta } = await get<ApiNodesAnswer>('/v1/nodes?limit=1')
        return meta.block.hash === hash
      }, 'the block is taken in')
      assert.equal((await fetch(url, { headers })).status, 200)
    })

    it('gives exactly the metrics that are documented', async () => {
      const text = await (await fetch(`${indexer.url}/metrics`)).text()
      const names = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, found]) => found)
      assert.deepEqual(names, Object.keys(METRICS))
      assert.match(text, /^indexer_ready 1$/m)
      assert.match(text, /^indexer_answers_total{status="2xx"} [1-9]/m)
    })

    it('lists the offers of a service and summarises them', async () => {
      const nodes = await allNodes('&service=hold/1')
      const offers: ApiServiceOffersAnswer['offers'] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query: string = cursor && `&cursor=${cursor}`
        const page: ApiServiceOffersAnswer = await get(
          `/v1/services/hold%2F1/offers?limit=4${query}`,
        )
        offers.push(...page.offers)
        cursor = page.next
      }
      assert.deepEqual(
        offers.map(({ nodeId }) => nodeId),
        nodes.map(({ nodeId }) => nodeId).sort(),
      )
      const prices = offers.map(({ price }) => Number(price.current)).sort((a, b) => a - b)
      const { summaries } = await get<ApiPricesSummaryAnswer>('/v1/prices/summary?service=hold/1')
      assert.equal(summaries[0]?.offers, offers.length)
      assert.equal(summaries[0]?.median, String(medianOf(prices)))
      assert.equal(summaries[0]?.p10, String(prices[Math.ceil(prices.length / 10) - 1]))
      const none = await get<ApiPricesSummaryAnswer>('/v1/prices/summary?service=none')
      assert.deepEqual([none.summaries[0]?.offers, none.summaries[0]?.median], [0, null])
    })

    it('ranks offers so that the client can recompute every factor and the order', async () => {
      const seed = '0x1234'
      const body = { need: ['route/1', 'hold/1'], seed, k: 64 }
      const { offers, reference, candidates, meta } = await discover(body)
      assert.equal(candidates, 24)
      const operators = Map.groupBy(offers, ({ node }) => node.operator)
      assert.ok(Math.max(...[...operators.values()].map((list) => list.length)) <= 2)
      const mine = rankOffers(
        offers.map(({ node }) => ({
          nodeId: node.nodeId,
          operator: node.operator,
          stake: BigInt(node.stake),
          updatedBlock: node.updatedBlock,
          prices: reference.services.map((service) =>
            BigInt(node.prices.find((price) => price.service === service)?.current ?? 0),
          ),
        })),
        {
          reference: {
            medians: reference.medians.map(BigInt),
            stake: BigInt(reference.stake),
            blockNumber: meta.block.number,
          },
          seed: fromHex(seed),
          k: 64,
        },
      )
      assert.deepEqual(
        offers.map(({ node, factors, weight, score }) => [node.nodeId, factors, weight, score]),
        mine.map(({ candidate, factors, weight, score }) => [
          candidate.nodeId,
          factors,
          weight,
          score,
        ]),
      )
      const again = await discover({ ...body, seed: '0x99' })
      assert.notDeepEqual(
        again.offers.map(({ node }) => node.nodeId),
        offers.map(({ node }) => node.nodeId),
      )
      const first = await discover({ ...body, k: 3 })
      assert.deepEqual(first.offers, offers.slice(0, 3))
    })

    it('discovers nothing above the price, in another token, or for an unknown service', async () => {
      const body = { need: ['hold/1'], seed: '0x01', k: 64 }
      const { offers } = await discover({ ...body, maxPrice: '40' })
      assert.ok(offers.length > 0)
      for (const { node } of offers)
        assert.ok(Number(node.prices.find((p) => p.service === word('hold/1'))?.current) <= 40)
      assert.deepEqual((await discover({ ...body, maxPrice: '1' })).offers, [])
      assert.deepEqual((await discover({ ...body, token: account('other') })).offers, [])
      assert.deepEqual((await discover({ ...body, need: ['hold/1', 'none'] })).offers, [])
    })

    it('shows channels by id and by either account', async () => {
      const { channel } = await get<ApiChannelAnswer>(`/v1/channels/${word('one')}`)
      assert.deepEqual(
        [channel.deposit, channel.claimed, channel.state, channel.payer],
        [String(2n ** 95n), '7', 'open', account('alice')],
      )
      const path = `/v1/accounts/${account('payee relay1/1').toUpperCase().replace('X', 'x')}/channels`
      const first = await get<ApiChannelsAnswer>(`${path}?limit=3`)
      const second = await get<ApiChannelsAnswer>(`${path}?limit=3&cursor=${first.next}`)
      assert.equal(second.next, null)
      const found = [...first.channels, ...second.channels].map(({ channelId }) => channelId)
      assert.deepEqual(found, ['two', 'three', 'four', 'five'].map(word).sort())
      const alice = await get<ApiChannelsAnswer>(`/v1/accounts/${account('alice')}/channels`)
      assert.equal(alice.channels.length, 2)
    })

    it('counts relays and users, and follows the luminosity from them', async () => {
      const network = await get<ApiNetworkAnswer>('/v1/network')
      assert.equal(network.activeRelays, RELAYS.length)
      assert.equal(network.users, 2)
      assert.equal(network.luminosity, 0)
      assert.equal(network.prices.route.offers, 24)
    })

    it('describes itself: discovery URL, OpenAPI of every route, a page of documentation', async () => {
      const index = await get<{ discovery: string; docs: string }>('/')
      assert.equal(index.discovery, `${indexer.url}/v1/discover`)
      assert.match(await (await fetch(index.docs)).text(), /swagger/i)
      const openapi = await get<{ openapi: string; paths: object }>('/openapi.json')
      assert.equal(openapi.openapi, '3.1.0')
      assert.deepEqual(Object.keys(openapi.paths).sort(), [
        '/healthz',
        '/metrics',
        '/readyz',
        '/v1/accounts/{address}/channels',
        '/v1/channels/{id}',
        '/v1/discover',
        '/v1/events',
        '/v1/log',
        '/v1/network',
        '/v1/nodes',
        '/v1/nodes/closest',
        '/v1/nodes/{id}',
        '/v1/prices/summary',
        '/v1/services',
        '/v1/services/{id}/offers',
      ])
    })

    it('lets browsers of any origin read, and sets protective headers', async () => {
      const { headers } = await fetch(`${indexer.url}/v1/network`, {
        headers: { origin: 'https://a.example' },
      })
      assert.equal(headers.get('access-control-allow-origin'), '*')
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
    })

    it('says that it lags when the chain has gone on without it', async () => {
      chain.tamper = (method, result) => {
        if (method === 'eth_getLogs') throw new Error('overloaded')
        return result
      }
      for (let i = 0; i < 7; i++) chain.mine()
      let answer: ApiReadyAnswer | undefined
      await until(async () => {
        answer = (await (await fetch(`${indexer.url}/readyz`)).json()) as ApiReadyAnswer
        return answer.reasons.length === 2
      }, 'it gives two reasons')
      assert.deepEqual(answer?.reasons, ['lagging', 'rpc-down'])
      assert.equal((await fetch(`${indexer.url}/healthz`)).status, 200)
      chain.tamper = (_method, result) => result
      await until(async () => (await fetch(`${indexer.url}/readyz`)).ok, 'it is ready again')
    })
  })
}

describe('an indexer without a chain', () => {
  let indexer: RunningIndexer
  before(async () => {
    indexer = await startIndexer({
      ...(await PGLITE.settings()),
      rpcUrl: 'http://127.0.0.1:1',
      rpcRequestsPerSecond: 10_000,
      role: 'both',
      deployment: DEPLOYMENT,
      host: '127.0.0.1',
      port: 0,
      finalityDepth: 10,
      pollIntervalMs: 20,
      rateLimitPerMinute: 1,
      logLevel: 'silent',
    })
  })
  after(() => indexer.stop())

  it('answers that it has nothing yet, and why', async () => {
    const response = await fetch(`${indexer.url}/v1/nodes`)
    assert.equal(response.status, 503)
    assert.equal(((await response.json()) as ApiProblem).code, 'INDEXER_NOT_READY')
    await until(async () => {
      const ready = (await (await fetch(`${indexer.url}/readyz`)).json()) as ApiReadyAnswer
      return ready.reasons.includes('starting') && ready.reasons.includes('rpc-down')
    }, 'it gives both reasons')
  })

  it('slows down a client that asks too often', async () => {
    const statuses = new Set<number>()
    for (let i = 0; i < 110; i++) {
      const response = await fetch(`${indexer.url}/healthz`)
      statuses.add(response.status)
      const body = (await response.json()) as ApiProblem
      if (response.status === 429) assert.equal(body.code, 'INDEXER_BUSY')
    }
    assert.deepEqual([...statuses], [200, 429])
  })
})
