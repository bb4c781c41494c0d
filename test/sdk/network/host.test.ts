import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { ByteStream } from '@mainframe/protocol'
import { Network } from '../../../node/src/links/network.ts'
import { connect } from '../../../sdk/src/network/host.ts'
import { makeRelay } from '../support/relays.ts'

const CHUNK = new Uint8Array(65_536).fill(7)
const FAR_MORE_THAN_A_WINDOW = 8 * 1024 * 1024

describe('A connection of a client', () => {
  const seed = Uint8Array.from(randomBytes(32))
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const options = { nodeSeed: seed, listen, maxConnections: 10, maxConnectionsPerSecond: 50 }
  const server = new Network(options)
  let accept: (stream: ByteStream, key: Uint8Array) => void = () => {}
  let relay = makeRelay('server')

  before(async () => {
    const nodeKey = (await generateKeyPairFromSeed('Ed25519', seed)).publicKey.raw
    await server.start((stream, key) => accept(stream, key))
    relay = makeRelay('server', { nodeKey, multiaddrs: server.multiaddrs })
  })
  after(() => server.stop())

  async function open() {
    const accepted = Promise.withResolvers<{ stream: ByteStream; key: Uint8Array }>()
    accept = (stream, key) => accepted.resolve({ stream, key })
    const connection = await connect(relay, AbortSignal.timeout(5_000))
    return { connection, ...(await accepted.promise) }
  }

  it('makes a relay wait that sends faster than the client reads', async () => {
    const { connection, stream } = await open()
    let sent = 0
    const flooding = (async () => {
      for (;;) {
        sent += CHUNK.length
        if (!stream.send(CHUNK)) await stream.onDrain()
        await sleep(0)
        if (sent > 8 * FAR_MORE_THAN_A_WINDOW) return
      }
    })().catch(() => {})
    for await (const chunk of connection.stream) {
      assert.ok(chunk.subarray().length > 0)
      await sleep(1_000)
      break
    }
    assert.ok(sent < FAR_MORE_THAN_A_WINDOW, `${sent} bytes were taken in unread`)
    await connection.close()
    await flooding
  })

  it('waits for a relay that does not read, each time anew', async () => {
    const { connection, stream } = await open()
    let sent = 0
    const sending = (async () => {
      for (;;) {
        sent += CHUNK.length
        if (!connection.stream.send(CHUNK)) await connection.stream.onDrain()
        await sleep(0)
        if (sent > 8 * FAR_MORE_THAN_A_WINDOW) return
      }
    })().catch(() => {})
    let read = 0
    for await (const chunk of stream) {
      read += chunk.subarray().length
      if (read < 2 * 1024 * 1024) continue
      await sleep(1_000) // it has drained at least once before
      break
    }
    assert.ok(sent - read < FAR_MORE_THAN_A_WINDOW, `${sent - read} bytes wait in memory`)
    await connection.close()
    await sending
  })

  it('has another identity each time', async () => {
    const [first, second] = [await open(), await open()]
    assert.notDeepEqual(first.key, second.key)
    await Promise.all([first.connection.close(), second.connection.close()])
  })
})
