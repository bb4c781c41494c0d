import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type ByteStream, toHex } from '@mainframe/protocol'
import { Network } from '../../../node/src/links/network.ts'
import { connect } from '../../../sdk/src/network/host.ts'
import { createKeyPairSync } from '../support/ed25519.ts'
import { until } from '../support/entry-rig.ts'
import { makeRelay } from '../support/relays.ts'

describe('connect, over libp2p', () => {
  const { seed, publicKey: nodeKey } = createKeyPairSync(randomBytes(32))
  const network = new Network({
    nodeSeed: seed,
    listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
    maxConnections: 50,
    maxConnectionsPerSecond: 50,
  })
  const { signal } = new AbortController()
  const callers: string[] = []
  const streams: ByteStream[] = []
  let multiaddrs: string[] = []

  before(async () => {
    await network.start((stream, remoteKey) => {
      callers.push(toHex(remoteKey))
      streams.push(stream)
      void echo(stream)
    })
    // as a registration has them: without the peer id
    multiaddrs = network.multiaddrs.map((address) => address.replace(/\/p2p\/.*/, ''))
  })
  after(() => network.stop())

  async function echo(stream: ByteStream): Promise<void> {
    try {
      for await (const chunk of stream) {
        stream.send(chunk instanceof Uint8Array ? chunk : chunk.subarray())
      }
    } catch {
      // the client left
    }
  }

  async function roundTrip(stream: ByteStream): Promise<string> {
    stream.send(Uint8Array.from(Buffer.from('ping')))
    for await (const chunk of stream) {
      return Buffer.from(chunk instanceof Uint8Array ? chunk : chunk.subarray()).toString()
    }
    return ''
  }

  it('refuses a relay that does not hold its node key', async () => {
    const impostor = makeRelay('x', { nodeKey: createKeyPairSync(randomBytes(32)).publicKey })
    await assert.rejects(connect({ ...impostor, multiaddrs }, signal), {
      code: 'NETWORK_NO_RELAY',
      retryable: true,
    })
  })

  for (const [what, addresses] of [
    ['no address', []],
    ['nothing but garbage', ['', '/', 'http://x', '/ip4/1.2.3.4', '/ip4/999.1.1.1/tcp/1']],
    [
      'addresses of somebody else',
      ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'],
    ],
  ] as const) {
    it(`says that a relay with ${what} cannot be reached`, async () => {
      const relay = makeRelay('x', { nodeKey, multiaddrs: [...addresses] })
      await assert.rejects(connect(relay, signal), { code: 'NETWORK_NO_RELAY' })
    })
  }

  it('says so of a node key that is no key', async () => {
    const relay = makeRelay('x', { nodeKey: new Uint8Array(31), multiaddrs })
    await assert.rejects(connect(relay, signal), { code: 'NETWORK_NO_RELAY' })
  })

  it('ends a connection attempt when it is told to', async () => {
    const silent = createServer((socket) => void socket.resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const relay = makeRelay('x', { nodeKey, multiaddrs: [`/ip4/127.0.0.1/tcp/${port}`] })
    const controller = new AbortController()
    const attempt = connect(relay, controller.signal)
    setTimeout(() => controller.abort(new RangeError('enough')), 100)
    await assert.rejects(attempt, /enough/)
    await new Promise((resolve) => silent.close(resolve))
  })

  it('connects over TCP and over WebSocket', async () => {
    for (const address of multiaddrs) {
      const relay = makeRelay('x', { nodeKey, multiaddrs: [address] })
      const { stream, close } = await connect(relay, signal)
      assert.equal(await roundTrip(stream), 'ping', address)
      await close()
    }
  })

  it('shows the relay another identity with every connection', async () => {
    callers.length = 0
    const relay = makeRelay('x', { nodeKey, multiaddrs })
    const connections = await Promise.all([1, 2, 3].map(() => connect(relay, signal)))
    await until(() => callers.length === 3, 'three streams')
    assert.equal(new Set(callers).size, 3)
    await Promise.all(connections.map(({ close }) => close()))
  })
})
