import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { ByteStream } from '@mainframe/protocol'
import { Network } from '../../../node/src/links/network.ts'

const CHUNK = new Uint8Array(65_536).fill(7)

describe('A network of two', () => {
  const seed = Uint8Array.from(randomBytes(32))
  const options = { maxConnections: 10, maxConnectionsPerSecond: 50 }
  const server = new Network({ nodeSeed: seed, listen: ['/ip4/127.0.0.1/tcp/0'], ...options })
  const client = new Network({ nodeSeed: Uint8Array.from(randomBytes(32)), listen: [], ...options })
  let accept: (stream: ByteStream, key: Uint8Array) => void = () => {}
  let nodeKey = new Uint8Array(0)

  before(async () => {
    nodeKey = Uint8Array.from((await generateKeyPairFromSeed('Ed25519', seed)).publicKey.raw)
    await server.start((stream, key) => accept(stream, key))
    await client.start(() => {})
  })
  after(async () => {
    await client.stop()
    await server.stop()
  })

  const open = async (key = nodeKey, multiaddrs = server.multiaddrs) =>
    client.open({ nodeKey: key, multiaddrs }, AbortSignal.timeout(5_000))

  it('does not open a stream to who does not hold the key', async () => {
    const addresses = server.multiaddrs.map((address) => address.replace(/\/p2p\/.*/, ''))
    await assert.rejects(open(new Uint8Array(32).fill(3), addresses))
  })

  it('does not dial what is no address, or names somebody else', async () => {
    await assert.rejects(open(new Uint8Array(32).fill(4), ['nonsense', '', ...server.multiaddrs]))
  })

  it('refuses a port that is in use, with one sentence', async () => {
    const listen = server.multiaddrs.map((address) => address.replace(/\/p2p\/.*/, ''))
    const second = new Network({ nodeSeed: seed, listen, ...options })
    await assert.rejects(
      second.start(() => {}),
      { code: 'CONFIG_IN_USE' },
    )
    await second.stop()
  })

  it('tells the accepting side which key the other end proved', async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>()
    accept = (stream, key) => {
      stream.abort(new Error('seen enough'))
      resolve(key)
    }
    const stream = await open()
    assert.equal((await promise).length, 32)
    stream.abort(new Error('done'))
  })

  it('makes a fast writer wait for a slow reader, and loses nothing', async () => {
    const { promise: accepted, resolve } = Promise.withResolvers<ByteStream>()
    accept = resolve
    const writer = await open()
    let written = 0
    const total = 40 * 1024 * 1024
    const writing = (async () => {
      while (written < total) {
        written += CHUNK.length
        if (!writer.send(CHUNK)) await writer.onDrain()
      }
      await writer.close()
    })()
    const reader = await accepted
    let read = 0
    let furthest = 0
    for await (const chunk of reader) {
      const bytes = chunk.subarray()
      if (read === 0) {
        await new Promise((done) => setTimeout(done, 300))
        furthest = written
      }
      read += bytes.length
      if (bytes.some((byte) => byte !== 7)) assert.fail('other bytes than were written')
    }
    await writing
    assert.equal(read, total)
    assert.ok(furthest < 8 * 1024 * 1024, `${furthest} bytes were taken in unread`)
  })
})
