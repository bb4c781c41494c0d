import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { toHex } from '@mainframe/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { Quota } from '../../../node/src/links/dht-host.ts'
import { Network } from '../../../node/src/links/network.ts'
import { PeerRecords, signPeerRecord } from '../../../node/src/links/peer-records.ts'
import { until } from '../chain-support.ts'

const CHAIN_ID = 31_337
const { signal } = new AbortController()

async function keysOf(seed: Uint8Array) {
  const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
  const nodeKey = privateKey.publicKey.raw
  const peerId = peerIdFromPrivateKey(privateKey)
  return { seed, privateKey, nodeKey, peerId, peerKey: toHex(nodeKey) }
}
const newKeys = () => keysOf(Uint8Array.from(randomBytes(32)))
type Keys = Awaited<ReturnType<typeof newKeys>>

/** Bytes as a field of a protobuf message. */
function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), lengthOf(bytes), bytes])
}

function lengthOf({ length }: Uint8Array): Buffer {
  return Buffer.from(length < 128 ? [length] : [(length & 127) | 128, length >> 7])
}

/** A relay that answers every question with these relays and addresses; `questions` counts. */
async function startLiar({ privateKey }: Keys, answers: readonly { of: Keys; address: string }[]) {
  const host = await createLibp2p({
    privateKey,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  const closer = answers.map(({ of: { peerId }, address }) =>
    field(
      8,
      Buffer.concat([field(1, peerId.toMultihash().bytes), field(2, multiaddr(address).bytes)]),
    ),
  )
  const getValue = Buffer.from([1 << 3, 1])
  const message = Buffer.concat([getValue, ...closer])
  const liar = { host, questions: 0 }
  await host.handle(`/mainframe/${CHAIN_ID}/kad/1.0.0`, (stream) => {
    stream.addEventListener('message', () => {
      liar.questions += 1
      stream.send(Buffer.concat([lengthOf(message), message]))
    })
  })
  return liar
}

/** A record that this relay signed, of one address. */
async function recordOf(keys: Keys, address: string): Promise<Uint8Array> {
  return await signPeerRecord(keys, [multiaddr(address)])
}

describe("The record of a relay's addresses", () => {
  it('counts when a registered relay signed it itself, and it is none before the last', async () => {
    const [relay, other, unregistered] = [await newKeys(), await newKeys(), await newKeys()]
    const registered: string[] = [relay.peerKey, other.peerKey]
    const records = new PeerRecords((peerKey) => registered.includes(peerKey))
    const early = await recordOf(relay, '/ip4/127.0.0.1/tcp/1')
    await new Promise((resolve) => setTimeout(resolve, 2)) // sequence numbers are milliseconds
    const late = await recordOf(relay, '/ip4/127.0.0.1/tcp/2')
    const forged = Uint8Array.from(late)
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1
    const many = Array.from({ length: 9 }, (_, i) => multiaddr(`/ip4/127.0.0.1/tcp/${i + 1}`))

    assert.equal(
      await records.take(relay.peerKey, await recordOf(other, '/ip4/1.2.3.4/tcp/1')),
      false,
    )
    assert.equal(await records.take(relay.peerKey, forged), false)
    assert.equal(await records.take(relay.peerKey, new Uint8Array(0)), false)
    assert.equal(await records.take(relay.peerKey, Uint8Array.from(randomBytes(2_049))), false)
    const foreign = await recordOf(unregistered, '/ip4/1.2.3.4/tcp/1')
    assert.equal(await records.take(unregistered.peerKey, foreign), false)
    assert.deepEqual(records.addressesOf(relay.peerKey), [])

    assert.equal(await records.take(relay.peerKey, late), true)
    assert.equal(await records.take(relay.peerKey, early), false, 'an old one is not brought back')
    assert.deepEqual(records.addressesOf(relay.peerKey), ['/ip4/127.0.0.1/tcp/2'])
    assert.equal(records.newestOf(relay.peerKey, [early, late]), 1)
    assert.equal((await signPeerRecord(relay, many)).length < 2_048, true)
    registered.length = 0
    assert.deepEqual(records.addressesOf(relay.peerKey), [], 'nor one of a relay that left')
  })
})

describe('The quota of questions', () => {
  it('is for each relay and a minute', (t) => {
    t.mock.timers.enable({ apis: ['Date'] })
    const quota = new Quota()
    const taken = (who: string) => Array.from({ length: 200 }, () => quota.take(who))
    const count = (results: boolean[]) => results.filter(Boolean).length
    assert.deepEqual([count(taken('a')), count(taken('a')), count(taken('b'))], [120, 0, 120])
    t.mock.timers.tick(60_000)
    assert.equal(count(taken('a')), 120)
  })
})

describe('The table of addresses', () => {
  const cleanups: (() => Promise<unknown>)[] = []
  const registered = new Set<string>()
  const traps: Trap[] = []
  beforeEach(() => registered.clear())
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    traps.splice(0)
  })

  /** A relay that takes part in the table; who is registered, the test decides. */
  async function startRelay(keys: Keys): Promise<Network> {
    const network = new Network({
      nodeSeed: keys.seed,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      maxConnections: 50,
      maxConnectionsPerSecond: 1_000,
      lookup: {
        chainId: CHAIN_ID,
        isPeer: (peerKey) => registered.has(peerKey),
        publishDelayMs: 50,
      },
    })
    await network.start(() => {})
    cleanups.push(() => network.stop())
    return network
  }

  const connect = (from: Network, to: Network, { nodeKey }: Keys) =>
    from.open({ nodeKey, multiaddrs: to.multiaddrs }, signal)

  interface Trap {
    server: Server
    address: string
    calls: number
  }

  /** Listens where nobody ought to dial. */
  async function setTrap(): Promise<Trap> {
    const trap: Trap = { server: createServer(), address: '', calls: 0 }
    trap.server.on('connection', (socket) => {
      trap.calls += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => trap.server.listen(0, '127.0.0.1', resolve))
    trap.address = `/ip4/127.0.0.1/tcp/${(trap.server.address() as { port: number }).port}`
    cleanups.push(() => new Promise((resolve) => trap.server.close(resolve)))
    return trap
  }

  it('finds a relay that moved and told nobody but a third one', async () => {
    const [near, moving, third] = [await newKeys(), await newKeys(), await newKeys()]
    for (const { peerKey } of [near, moving, third]) registered.add(peerKey)
    const [a, c] = [await startRelay(near), await startRelay(third)]
    await connect(a, c, third)
    const before = await startRelay(moving)
    const registeredAt = before.multiaddrs
    await before.stop()
    const after = await startRelay(moving)
    assert.notDeepEqual(after.multiaddrs, registeredAt)
    await connect(after, c, third)

    await assert.rejects(a.open({ nodeKey: moving.nodeKey, multiaddrs: registeredAt }, signal))
    let found: readonly string[] = []
    await until(async () => {
      found = await a.find(moving.peerKey, signal)
      return found.length > 0
    })
    assert.deepEqual(
      found,
      after.multiaddrs.map((address) => address.replace(/\/p2p\/.*/, '')),
    )
    await a.open({ nodeKey: moving.nodeKey, multiaddrs: found }, signal)
  })

  it('answers registered relays, and no stranger', async () => {
    const [keys, asking] = [await newKeys(), await newKeys()]
    const a = await startRelay(keys)
    const { host } = await startLiar(asking, [])
    cleanups.push(() => Promise.resolve(host.stop()))
    const ask = async (): Promise<number> => {
      const addresses = a.multiaddrs.map((address) => multiaddr(address))
      const stream = await host.dialProtocol(addresses, `/mainframe/${CHAIN_ID}/kad/1.0.0`)
      const answered = Promise.withResolvers<number>()
      stream.addEventListener('message', ({ data }) => answered.resolve(data.byteLength))
      stream.addEventListener('close', () => answered.resolve(0))
      const pingQuestion = Buffer.from([1 << 3, 5])
      if (stream.status !== 'open') return 0
      stream.send(Buffer.concat([lengthOf(pingQuestion), pingQuestion]))
      return await answered.promise
    }
    assert.equal(await ask(), 0)
    registered.add(asking.peerKey)
    assert.ok((await ask()) > 0)
  })

  it('is not for strangers: they are not asked, not answered, and not found', async () => {
    const [keys, stranger] = [await newKeys(), await newKeys()]
    const other = await newKeys()
    for (const { peerKey } of [keys, other]) registered.add(peerKey)
    const [a, c] = [await startRelay(keys), await startRelay(other)]
    const uninvited = await startRelay(stranger)
    await connect(uninvited, a, keys)
    await connect(uninvited, c, other)
    await connect(a, c, other)
    await until(async () => (await c.find(keys.peerKey, signal)).length > 0)
    registered.add(stranger.peerKey) // from now on a record of his would count
    assert.deepEqual(await a.find(stranger.peerKey, signal), [])
    assert.deepEqual(await c.find(stranger.peerKey, signal), [])
    registered.delete(stranger.peerKey)
    assert.deepEqual(await a.find('no key', signal), [])
  })

  it('dials nobody, whatever a registered relay that lies answers', async () => {
    const [keys, wanted, liar, nobody] = [
      await newKeys(),
      await newKeys(),
      await newKeys(),
      await newKeys(),
    ]
    for (const { peerKey } of [keys, wanted, liar]) registered.add(peerKey)
    const [unsigned, unregistered] = [await setTrap(), await setTrap()]
    const a = await startRelay(keys)
    const lying = await startLiar(liar, [
      { of: wanted, address: unsigned.address },
      { of: nobody, address: unregistered.address },
    ])
    cleanups.push(() => Promise.resolve(lying.host.stop()))
    const multiaddrs = lying.host.getMultiaddrs().map((address) => address.toString())
    await a.open({ nodeKey: liar.nodeKey, multiaddrs }, signal).catch(() => {}) // it has no links
    await until(async () => {
      assert.deepEqual(await a.find(wanted.peerKey, signal), [])
      return lying.questions > 0
    })
    assert.deepEqual(await a.find(wanted.peerKey, signal), [])
    assert.deepEqual(await a.find(nobody.peerKey, signal), [])
    await assert.rejects(a.open({ nodeKey: wanted.nodeKey, multiaddrs: [] }, signal))
    assert.equal(unsigned.calls + unregistered.calls, 0)
  })
})
