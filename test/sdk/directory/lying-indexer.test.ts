import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ApiNode, fromHex, MainframeError, relayAddress, toHex } from '@mainframe/protocol'
import { Directory } from '../../../sdk/src/directory/directory.ts'
import type { Fetch, NodesPage } from '../../../sdk/src/directory/indexer-api.ts'
import { fakeClock } from '../support/fake-clock.ts'
import {
  apiPrice,
  deployment,
  type FakeNetwork,
  fakeNetwork,
  pageOf,
} from '../support/honest-indexer.ts'
import { hexOf } from '../support/relays.ts'

const NOW_MS = Date.UTC(2030, 0, 1)
const MINUTE = 60_000

function rig(count = 6) {
  const clock = fakeClock(NOW_MS)
  const network = fakeNetwork(count, { nowMs: NOW_MS })
  const indexers = ['http://first']
  const create = (urls = indexers, fetch: Fetch = network.fetch) =>
    new Directory({
      chain: network.chain,
      deployment,
      indexers: urls,
      fetch,
      clock,
      refreshMs: 1000,
    })
  return { clock, network, create, directory: create() }
}

/** What a lie says: the third relay, and the page that it stands on. */
type Lie = (node: ApiNode, page: NodesPage, network: FakeNetwork) => void

const LIES: [string, string, Lie][] = [
  [
    'gives a relay the key of somebody else',
    'node-id',
    (node) => {
      node.nodeKey = hexOf('another key')
    },
  ],
  [
    'lists a relay whose node key never agreed to be registered',
    'signature',
    (node) => {
      node.signature = `0x${'00'.repeat(64)}`
    },
  ],
  [
    'places a relay where it is not',
    'overlay-address',
    (node) => {
      node.overlayAddress = hexOf('somewhere else')
    },
  ],
  [
    'places a relay by a block of its own making, consistently',
    'seed-block',
    (node) => {
      node.seedBlockHash = hexOf('a block that suits us')
      const address = relayAddress(fromHex(node.nodeId), fromHex(node.seedBlockHash))
      node.overlayAddress = toHex(address)
    },
  ],
  [
    'claims another block of registration, consistently',
    'registered-block',
    (node, _, { relays }) => {
      const other = relays[3]?.node
      assert.ok(other?.seedBlockHash)
      node.registeredBlock = other.registeredBlock
      node.seedBlockHash = other.seedBlockHash
      const address = relayAddress(fromHex(node.nodeId), fromHex(other.seedBlockHash))
      node.overlayAddress = toHex(address)
    },
  ],
  [
    'gives a relay a seal key that it can open itself',
    'record',
    (node) => {
      node.sealKey = hexOf('a key of the indexer')
    },
  ],
  [
    'gives a relay another payee',
    'record',
    (node) => {
      node.payee = `0x${'99'.repeat(20)}`
    },
  ],
  [
    'gives a relay other addresses to dial',
    'record',
    (node) => {
      node.multiaddrsRaw = toHex(Buffer.from('/ip4/10.0.0.1/tcp/1'))
    },
  ],
  [
    'gives a relay more stake',
    'stake',
    (node) => {
      node.stake = '1000000'
    },
  ],
  [
    'raises a price',
    'price',
    (node) => {
      const [route] = node.prices
      assert.ok(route)
      route.price = `${BigInt(route.price) * 2n}`
    },
  ],
  [
    'leaves a price out',
    'price',
    (node) => {
      node.prices = node.prices.slice(1)
    },
  ],
  [
    'withdraws a price',
    'price',
    (node) => {
      const [route] = node.prices
      assert.ok(route)
      route.active = false
    },
  ],
  [
    'invents a price that the board does not have',
    'price',
    (_node, _page, { relays }) => {
      const relay = relays[2]
      assert.ok(relay)
      relay.rows.route = { ...relay.rows.route, price: 0n, next: 0n, active: false }
    },
  ],
  [
    'keeps a relay that has left',
    'inactive',
    (_node, _page, { relays }) => {
      const relay = relays[2]
      assert.ok(relay)
      relay.state = { ...relay.state, recordHash: `0x${'00'.repeat(32)}` }
    },
  ],
  [
    'lists a relay that is inactive by its own word',
    'inactive',
    (node) => {
      node.active = false
    },
  ],
  [
    'lists a relay twice, so that it is chosen twice as often',
    'duplicate',
    (node, page) => {
      page.nodes.push(structuredClone(node))
    },
  ],
  [
    'speaks of a block that the chain does not have',
    'block',
    (_, page) => {
      page.meta.block.hash = hexOf('another fork')
    },
  ],
  [
    'speaks of a block of the future',
    'block',
    (_, page) => {
      page.meta.block.number += 1_000
    },
  ],
  [
    'speaks of another chain',
    'chain-id',
    (_, page) => {
      page.meta.chainId = 1
    },
  ],
  [
    'leaves a field out',
    'schema',
    (node) => {
      Reflect.deleteProperty(node, 'payee')
    },
  ],
  [
    'writes a number where bytes belong',
    'schema',
    (node) => {
      Object.assign(node, { sealKey: 7 })
    },
  ],
]

describe('Directory: an indexer that lies', () => {
  for (const [what, fault, lie] of LIES) {
    it(`is refused when it ${what}`, async () => {
      const { clock, network, directory } = rig()
      const [page] = network.pages
      const node = page?.nodes[2]
      assert.ok(page && node)
      lie(node, page, network)
      const refused = assert.rejects(directory.fresh(), (error) => {
        assert.ok(error instanceof MainframeError)
        assert.equal(error.code, 'INDEXER_INVALID')
        assert.equal(error.details['fault'], fault)
        assert.match(error.message, /^The indexer.*[a-z0-9)]$/)
        return true
      })
      await clock.pass(2000)
      await refused
      assert.equal(directory.view, undefined)
    })
  }

  it('is left for the next one, and the lie is told when that one does not answer', async () => {
    const { clock, network, create } = rig()
    const honest = pageOf(network)
    const [lie] = network.pages
    assert.ok(lie?.nodes[0])
    lie.nodes[0].stake = '7'
    let second: 'honest' | 'silent' = 'honest'
    const fetch = (async (input: URL) => {
      if (input.host === 'first') return network.fetch(input)
      if (second === 'silent') throw new TypeError('fetch failed')
      if (!input.pathname.endsWith('/nodes')) return network.fetch(input)
      return Response.json(honest)
    }) as Fetch
    const directory = create(['http://first', 'http://second'], fetch)
    assert.equal((await directory.fresh()).relays.length, 6)
    second = 'silent'
    directory.outdate()
    await assert.rejects(directory.fresh(), { code: 'INDEXER_INVALID' })
    await clock.pass(10)
  })

  it('gets a second chance when the chain may have moved between two answers', async () => {
    const { clock, network, directory } = rig()
    const [page] = network.pages
    assert.ok(page)
    const honest = pageOf(network)
    page.meta.block.hash = hexOf('a fork that is gone')
    const answer = directory.fresh()
    await clock.pass(100)
    network.pages = [honest]
    await clock.pass(1000)
    assert.equal((await answer).relays.length, 6)
  })
})

describe('Directory: answers that cannot be used', () => {
  const answering = (respond: () => Response | Promise<Response>) =>
    (async () => respond()) as Fetch

  for (const [what, respond, code] of [
    ['nothing', () => Promise.reject(new TypeError('fetch failed')), 'INDEXER_UNREACHABLE'],
    ['no JSON', () => new Response('<html>'), 'INDEXER_INVALID'],
    ['a proxy error', () => new Response('bad gateway', { status: 502 }), 'INDEXER_UNREACHABLE'],
    [
      'that it is not ready',
      () => Response.json({ code: 'INDEXER_NOT_READY' }, { status: 503 }),
      'INDEXER_NOT_READY',
    ],
    [
      'with a code that is not its own',
      () => Response.json({ code: 'PAYMENT_INSUFFICIENT' }, { status: 500 }),
      'INDEXER_UNREACHABLE',
    ],
    ['without end', () => new Response(endless()), 'INDEXER_INVALID'],
  ] as const) {
    it(`end in ${code} when an indexer answers ${what}`, async () => {
      const { create } = rig()
      await assert.rejects(create(['http://first'], answering(respond)).fresh(), { code })
    })
  }

  for (const [what, padding, most] of [
    ['large pages', 10 * 1024 * 1024, 7],
    ['empty ones', 0, 500],
  ] as const) {
    it(`end in INDEXER_INVALID when there is always another page, of ${what}`, async () => {
      const { create, network } = rig()
      let pages = 0
      const more = async () => {
        pages += 1
        const page = { ...pageOf(network), nodes: [], next: 'more' }
        return new Response(JSON.stringify(page) + ' '.repeat(padding))
      }
      const directory = create(['http://first'], answering(more))
      await assert.rejects(directory.fresh(), { code: 'INDEXER_INVALID' })
      assert.ok(pages <= most, `${pages} pages`)
    })
  }

  it('never repeat the address of the indexer, which may hold a key', async () => {
    const { create } = rig()
    const silent = answering(() => Promise.reject(new TypeError('fetch failed')))
    const directory = create(['http://secret-key@first/secret-path'], silent)
    await assert.rejects(directory.fresh(), (error) => {
      assert.ok(error instanceof MainframeError)
      assert.doesNotMatch(JSON.stringify([error.message, error.details]), /secret/)
      return true
    })
  })

  it('say when no relay offers its services', async () => {
    const { network, directory } = rig(1)
    const [relay] = network.relays
    const [page] = network.pages
    assert.ok(relay && page?.nodes[0])
    const withdrawn = { ...relay.rows.hold, price: 0n, next: 0n, unit: 0, active: false }
    relay.rows.hold = withdrawn
    page.nodes[0].prices = [relay.rows.route, withdrawn].map(apiPrice)
    await assert.rejects(directory.fresh(), { code: 'NETWORK_NO_RELAY' })
  })
})

function endless(): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(1024 * 1024).fill(0x20)
  return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) })
}

describe('Directory: age', () => {
  it('asks again after the refresh time only, once for concurrent callers', async () => {
    const { clock, network, directory } = rig()
    await Promise.all([directory.fresh(), directory.fresh(), directory.fresh()])
    assert.deepEqual(network.asked, ['/v1/nodes', '/v1/network', '/v1/log'])
    await clock.pass(900)
    await directory.fresh()
    assert.equal(network.asked.length, 3)
    await clock.pass(200)
    await directory.fresh()
    // the log has not grown
    assert.deepEqual(network.asked.slice(3), ['/v1/nodes', '/v1/network'])
  })

  it('does without the indexer for 30 minutes, and not longer', async () => {
    const { clock, network, create } = rig()
    let isSilent = false
    const fetch = (async (input: URL) => {
      if (isSilent) throw new TypeError('fetch failed')
      return network.fetch(input)
    }) as Fetch
    const directory = create(['http://first'], fetch)
    const view = await directory.fresh()
    isSilent = true
    await clock.pass(29 * MINUTE)
    assert.equal(await directory.fresh(), view)
    await clock.pass(2 * MINUTE)
    await assert.rejects(directory.fresh(), { code: 'INDEXER_UNREACHABLE' })
  })

  it('refuses an indexer that is more than 30 minutes behind the chain', async () => {
    const { clock, network, directory } = rig()
    network.head = { ...network.head, number: 300, hash: hexOf('block 300') }
    network.head.time += 31 * 60
    const [page] = network.pages
    assert.ok(page)
    // the headers of the fake chain all carry the time of the head
    page.meta.block.time = network.head.time
    await directory.fresh()
    const old = { ...network.chain }
    old.headers = async (numbers) =>
      numbers.map((number) => ({ number, hash: hexOf(`block ${number}`), time: 0 }))
    page.meta.block.time = 0
    const late = new Directory({
      chain: old,
      deployment,
      indexers: ['http://first'],
      fetch: network.fetch,
      clock,
      refreshMs: 1000,
    })
    const refused = assert.rejects(late.fresh(), { code: 'INDEXER_INVALID', message: /30 minutes/ })
    await clock.pass(2000)
    await refused
  })

  it('reads pages until there is none, each checked at its own block', async () => {
    const { network, directory } = rig(9)
    const all = pageOf(network)
    const part = (from: number, next: string | null) => ({
      ...all,
      nodes: all.nodes.slice(from, from + 3),
      next,
    })
    network.pages = [part(0, '1'), part(3, '2'), part(6, null)]
    const view = await directory.fresh()
    assert.equal(view.relays.length, 9)
    assert.equal(view.byId.size, 9)
  })
})
