import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { MainframeError, toHex } from '@mainframe/protocol'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { Network, type NetworkOptions } from '../../../node/src/links/network.ts'
import { Peers } from '../../../node/src/links/peers.ts'
import { createView } from '../../../node/src/routing/overlay.ts'
import { DOMAIN } from '../support/payee-world.ts'
import { relay } from '../support/rule-world.ts'

describe('The network of a relay', () => {
  const cleanups: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  /** A listening node, its key, and its addresses as a registration has them. */
  async function startNode(options: Partial<NetworkOptions> = {}) {
    const nodeSeed = Uint8Array.from(randomBytes(32))
    const nodeKey = (await generateKeyPairFromSeed('Ed25519', nodeSeed)).publicKey.raw
    const limits = { maxConnections: 50, maxConnectionsPerSecond: 1_000 }
    const listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']
    const network = new Network({ nodeSeed, listen, ...limits, ...options })
    const callers: string[] = []
    await network.start((_stream, key) => callers.push(toHex(key)))
    cleanups.push(() => network.stop())
    const multiaddrs = network.multiaddrs.map((address) => address.replace(/\/p2p\/.*/, ''))
    return { network, nodeKey, multiaddrs, callers }
  }

  it('does not use a stranger at the registered address of a relay, and counts him', async () => {
    const [self, stranger] = [await startNode(), await startNode()]
    const absent = (await generateKeyPairFromSeed('Ed25519', randomBytes(32))).publicKey.raw
    const entry = { ...relay('1'), nodeKey: absent, multiaddrs: stranger.multiaddrs } as RelayEntry
    const failed = Promise.withResolvers<void>()
    const never = () => Promise.reject(new MainframeError('INTERNAL', 'nothing is paid here'))
    const peers = new Peers({
      network: self.network,
      channels: { ensure: never, topUp: never, isLow: () => false, leave: () => {} },
      router: { onAccepted: () => {}, onRefused: () => {}, onLost: () => {}, onLinkUp: () => {} },
      domain: DOMAIN,
      addressesOf: async ({ multiaddrs }) => multiaddrs,
      payWith: [],
      boardPrices: ({ prices }) => prices,
      retryMs: 10,
      onFailure: () => failed.resolve(),
    })
    cleanups.push(() => peers.stop())
    peers.update(createView(relay('0').address, 0, [entry]))
    await failed.promise
    assert.equal(peers.failures.unproved, 1)
    assert.equal(peers.failures.failed, 0)
    assert.equal(peers.links.size, 0)
    assert.deepEqual(stranger.callers, [], 'no link is opened with a stranger')
  })

  it('dials no address that names somebody else, or nobody that is known', async () => {
    const [self, other] = [await startNode(), await startNode()]
    const absent = (await generateKeyPairFromSeed('Ed25519', randomBytes(32))).publicKey.raw
    const multiaddrs = [...other.network.multiaddrs, 'garbage', '/ip4/127.0.0.1', '']
    const { signal } = new AbortController()
    await assert.rejects(self.network.open({ nodeKey: absent, multiaddrs }, signal))
    assert.deepEqual(other.callers, [])
  })

  it('reaches a relay over TCP and over WebSocket, and says where', async () => {
    const other = await startNode()
    for (const address of other.multiaddrs) {
      const reached: string[] = []
      const self = await startNode({ listen: [], onReached: (_key, at) => reached.push(at) })
      const { signal } = new AbortController()
      await self.network.open({ nodeKey: other.nodeKey, multiaddrs: [address] }, signal)
      assert.deepEqual(reached, [address])
    }
    assert.equal(other.multiaddrs.filter((address) => address.endsWith('/ws')).length, 1)
  })
})
