import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  buildOnion,
  createKeyPair,
  type KeyPair,
  type Message,
  minutesNow,
  roundUpExpiry,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { Completed } from '../../../sdk/src/messages/completed.ts'
import type { PublishedMessage } from '../../../sdk/src/messages/deliveries.ts'
import { groupReceiver } from '../../../sdk/src/messages/group.ts'
import { Keyring } from '../../../sdk/src/messages/keyring.ts'
import {
  loopMessage,
  PUBLICATION_BYTES,
  publicationCount,
  publicationMessage,
} from '../../../sdk/src/messages/payload.ts'
import type { ReassemblyLimits } from '../../../sdk/src/messages/reassembly.ts'
import { MOST_AT_REST, MOST_WHEN_BUSY } from '../../../sdk/src/messages/unopened.ts'
import { randomBytes } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import { fakeClock } from '../support/fake-clock.ts'

const settle = async () => {
  for (let i = 0; i < 8; i++) await turn()
}

async function rigOf(options: { key?: KeyPair; limits?: ReassemblyLimits } = {}) {
  const { key = createKeyPair(), limits } = options
  const clock = fakeClock()
  const keyring = new Keyring([key])
  const received: PublishedMessage[] = []
  const asked: string[] = []
  const receiver = groupReceiver({
    keyring,
    clock,
    completed: await Completed.open(memoryStore(), clock.now()),
    limits,
    onEcho: () => {},
    onRoom: (relays) => void asked.push(...relays),
    onHandlerError: () => {},
  })
  const nowMinutes = minutesNow(clock.now())
  const packet = (instruction: Message, to = key) =>
    buildOnion({
      header: {
        luminosity: 0,
        address: new Uint8Array(32),
        expiryMinutes: roundUpExpiry(nowMinutes + 60),
      },
      publicKey: to.publicKey,
      instruction,
      hops: [],
      nowMinutes,
    })
  const packetsOf = (bytes: Uint8Array, to = key, messageId = randomBytes(16)) =>
    Array.from({ length: publicationCount(bytes.length) }, (_, index) =>
      packet(publicationMessage({ messageId, bytes, index }), to),
    )
  const rekey = (keys: KeyPair[]) => {
    const added = keyring.replace(keys)
    if (added) receiver.tryAgain(added)
  }
  return { key, clock, receiver, received, asked, packet, packetsOf, rekey }
}

/** A packet that nobody opens, made from one in no time. */
function foreign(packet: Uint8Array): Uint8Array {
  const other = packet.slice()
  other.set(randomBytes(64), 39)
  return other
}

const only = (packets: Uint8Array[]) => packets[0] ?? assert.fail('one packet')

describe('The receiver of a group', () => {
  it('takes any bytes that a member seals, and hands on nothing that has no valid form', async () => {
    const { receiver, packet, received } = await rigOf()
    receiver.handle((message) => void received.push(message))
    let cursor = 0
    const payloads = fc.uint8Array({ maxLength: PUBLICATION_BYTES + 2 })
    fc.assert(
      fc.property(payloads, fc.nat(4), fc.nat(700), fc.nat(700), (payload, kind, index, more) => {
        if (payload.length > 1 && kind < 4) payload.set([1, kind])
        const count = index + 1 + more
        const message = {
          kind: 'message' as const,
          messageId: randomBytes(16),
          index,
          count,
          payload,
        }
        const outcome = receiver.receive(packet(message), 'relay', ++cursor)
        const isPiece = payload[0] === 1 && payload[1] === 3
        assert.ok(isPiece || outcome === 'no-message', `${outcome} of kind ${payload[1]}`)
      }),
      { numRuns: 1_000 },
    )
    const loop = receiver.receive(packet(loopMessage(randomBytes(16))), 'relay', ++cursor)
    assert.equal(loop, 'no-message')
    receiver.close()
  })

  it('is bounded, whatever a member begins and does not end, and takes what is whole', async () => {
    const limits = { messages: 8, bytes: 20 * PUBLICATION_BYTES, idleMs: 60_000 }
    const { receiver, packetsOf, received } = await rigOf({ limits })
    receiver.handle((message) => void received.push(message))
    const long = new Uint8Array(5 * PUBLICATION_BYTES)
    let cursor = 0
    for (let i = 0; i < 200; i++) {
      for (const packet of packetsOf(long).slice(0, 3)) {
        assert.equal(receiver.receive(packet, 'relay', ++cursor), 'stored')
      }
    }
    for (const packet of packetsOf(long)) receiver.receive(packet, 'relay', ++cursor)
    await settle()
    assert.equal(received.length, 1)
    receiver.close()
  })

  it('finds what came before its key, of as many packets as are kept, and no older', async () => {
    const { key, receiver, packetsOf, received, rekey } = await rigOf()
    receiver.handle((message) => void received.push(message))
    const next = createKeyPair()
    const [old, late] = [
      only(packetsOf(new Uint8Array(1), next)),
      only(packetsOf(new Uint8Array(2), next)),
    ]
    let cursor = 0
    receiver.receive(old, 'relay', ++cursor)
    receiver.receive(late, 'relay', ++cursor)
    for (let i = 1; i < MOST_AT_REST; i++) receiver.receive(foreign(old), 'relay', ++cursor)
    rekey([next, key])
    await settle()
    assert.deepEqual(
      received.map(({ bytes }) => bytes.length),
      [2],
    )
    receiver.close()
  })

  it('holds cursors back for a message of which a key to come opened the first packets', async () => {
    const { key, receiver, packetsOf, rekey } = await rigOf()
    const next = createKeyPair()
    const [first, second] = packetsOf(new Uint8Array(2 * PUBLICATION_BYTES), next)
    assert.ok(first && second)
    receiver.receive(first, 'relay', 2_000)
    for (let i = 0; i < 100; i++) receiver.receive(foreign(first), 'relay', 2_001 + i)
    assert.equal(receiver.restartAt('relay'), 2_100)
    rekey([next, key])
    assert.equal(receiver.restartAt('relay'), 1_024)
    assert.equal(receiver.resumeAt('relay'), 2_100)
    receiver.handle(() => {})
    receiver.receive(second, 'relay', 2_101)
    await settle()
    assert.equal(receiver.restartAt('relay'), 2_101)
    receiver.close()
  })

  it('asks relays again for what found no room while a commit was dealt with', async () => {
    const { key, receiver, packetsOf, received, asked, rekey } = await rigOf()
    const next = createKeyPair()
    const dealtWith = Promise.withResolvers<void>()
    receiver.handle(async (message) => {
      received.push(message)
      if (message.bytes.length > 1) return
      await dealtWith.promise
      rekey([next, key])
    })
    let cursor = 0
    const commit = only(packetsOf(new Uint8Array(1)))
    assert.equal(receiver.receive(commit, 'relay', ++cursor), 'complete')
    for (let i = 0; i < MOST_WHEN_BUSY; i++) {
      assert.equal(receiver.receive(foreign(commit), 'relay', ++cursor), 'unopened')
    }
    const said = only(packetsOf(new Uint8Array(2), next))
    assert.equal(receiver.receive(said, 'relay', ++cursor), 'full')
    await settle()
    assert.deepEqual([received.length, asked], [1, []])
    dealtWith.resolve()
    await settle()
    assert.deepEqual(asked, ['relay'])
    assert.ok((receiver.resumeAt('relay') ?? cursor) < cursor)
    assert.equal(receiver.receive(said, 'relay', cursor), 'complete')
    await settle()
    assert.equal(received.length, 2)
    receiver.close()
  })
})
