import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { ByteStream } from '@mainframe/protocol'
import { Network } from '../../../node/src/links/network.ts'
import { type Connection, connect } from '../../../sdk/src/network/host.ts'
import { makeRelay } from '../support/relays.ts'

const CHUNK = new Uint8Array(65_536).fill(7)
/** What buffers and windows of both sides take in, generously. */
const BOUND_BYTES = 8 * 1024 * 1024

describe('A connection of a client', () => {
  const seed = Uint8Array.from(randomBytes(32))
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const options = { nodeSeed: seed, listen, maxConnections: 10, maxConnectionsPerSecond: 50 }
  const server = new Network(options)
  const connections: Connection[] = []
  let accept: (stream: ByteStream) => void = () => {}
  let relay = makeRelay('server')

  before(async () => {
    const nodeKey = (await generateKeyPairFromSeed('Ed25519', seed)).publicKey.raw
    await server.start((stream) => accept(stream))
    relay = makeRelay('server', { nodeKey, multiaddrs: server.multiaddrs })
  })
  after(async () => {
    await Promise.all(connections.map((connection) => connection.close()))
    await server.stop()
  })

  /** Both ends, after the relay's has begun to read. */
  async function open() {
    const accepted = Promise.withResolvers<ByteStream>()
    accept = accepted.resolve
    const connection = await connect(relay, AbortSignal.timeout(5_000))
    connections.push(connection)
    connection.stream.send(CHUNK.subarray(0, 1))
    const theirs = await accepted.promise
    const reader = theirs[Symbol.asyncIterator]()
    await reader.next()
    return { ours: connection.stream, theirs, reader }
  }

  /** Writes until the stream makes it wait, or has taken more than it should. */
  async function fill(stream: ByteStream): Promise<{ written: number; drained: Promise<unknown> }> {
    let written = 0
    for (;;) {
      while (written < 2 * BOUND_BYTES) {
        written += CHUNK.length
        if (!stream.send(CHUNK)) break
      }
      const drained = stream.onDrain().then(() => true)
      const mayGoOn = await Promise.race([drained, sleep(200).then(() => false)])
      if (!mayGoOn || written >= 2 * BOUND_BYTES) return { written, drained }
    }
  }

  it('makes a relay wait that sends faster than the client reads', async () => {
    const { ours, theirs } = await open()
    const reader = ours[Symbol.asyncIterator]()
    theirs.send(CHUNK)
    await reader.next()
    const { written } = await fill(theirs)
    assert.ok(written < BOUND_BYTES, `${written} bytes were taken in unread`)
  })

  it('waits for a relay that does not read, each time anew', async () => {
    const { ours, reader } = await open()
    for (let round = 0; round < 3; round++) {
      const { written, drained } = await fill(ours)
      assert.ok(written < BOUND_BYTES, `${written} bytes wait in memory`)
      for (let read = 0; read < written; ) {
        read += (await reader.next()).value?.subarray().length ?? 0
      }
      await drained
    }
  })
})
