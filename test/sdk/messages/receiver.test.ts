import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  buildOnion,
  createKeyPair,
  encodeInstruction,
  inboxAddress,
  type Message,
  minutesNow,
  padPacket,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { Completed } from '../../../sdk/src/messages/completed.ts'
import {
  acknowledgementMessage,
  fragmentMessage,
  loopMessage,
} from '../../../sdk/src/messages/payload.ts'
import { personalReceiver } from '../../../sdk/src/messages/personal.ts'
import { randomBytes } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { seededRandom } from '../support/seeded-random.ts'

const HOUR_MS = 3_600_000

async function rig() {
  const clock = fakeClock()
  const keyPair = createKeyPair()
  const seen = { acknowledgements: 0, loops: 0, answers: 0 }
  const count = (what: keyof typeof seen) => () => {
    seen[what] += 1
  }
  const receiver = personalReceiver({
    keyPair,
    clock,
    random: seededRandom(1),
    completed: await Completed.open(memoryStore(), clock.now()),
    ackDelayMs: 0,
    quietMs: 100,
    acknowledge: count('answers'),
    onAcknowledgement: count('acknowledgements'),
    onLoop: count('loops'),
    onRoom: () => {},
    onHandlerError: () => {},
  })
  const packet = (instruction: Message, publicKey = keyPair.publicKey) =>
    buildOnion({
      header: {
        luminosity: 0,
        address: inboxAddress(publicKey),
        expiryMinutes: roundUpExpiry(minutesNow(clock.now()) + 60),
      },
      publicKey,
      instruction,
      hops: [],
      nowMinutes: minutesNow(clock.now()),
    })
  return { clock, keyPair, receiver, packet, seen }
}

const data = (bytes = new Uint8Array(5)) =>
  fragmentMessage({ messageId: randomBytes(16), replyTo: randomBytes(32), bytes, index: 0 })

describe('Receiver', () => {
  it('takes any bytes, also those of our own key that were tampered with, without throwing', async () => {
    const { receiver, packet } = await rig()
    const own = packet(data())
    let cursor = 0
    fc.assert(
      fc.property(fc.nat(2047), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = own.slice()
        changed[at] = (changed[at] ?? 0) ^ change
        const outcome = receiver.receive(changed, 'relay', ++cursor)
        // past the sealed content there is padding, which is nobody's
        const isPadding = at >= 39 + 32 + 18 + 1589 + 16
        const fine = isPadding ? ['complete', 'duplicate', 'seen'] : ['unopened', 'damaged', 'seen']
        assert.ok([...fine, 'expired'].includes(outcome), `byte ${at}: ${outcome}`)
      }),
      { numRuns: 300 },
    )
    assert.equal(receiver.receive(new Uint8Array(2048), 'relay', ++cursor), 'damaged')
  })

  it('ignores packets of others, and its own when they have expired', async () => {
    const { clock, receiver, packet } = await rig()
    assert.equal(receiver.receive(packet(data(), createKeyPair().publicKey), 'r', 1), 'unopened')
    const [late, later] = [packet(data()), packet(data())]
    await clock.pass(HOUR_MS + 9 * 60_000)
    assert.equal(receiver.receive(late, 'r', 2), 'complete')
    await clock.pass(7 * 60_000)
    assert.equal(receiver.receive(later, 'r', 3), 'expired')
  })

  it('tells what is no message, and what is of another version', async () => {
    const { clock, keyPair, receiver, packet } = await rig()
    const expiryMinutes = roundUpExpiry(minutesNow(clock.now()) + 60)
    const header = { luminosity: 0, address: inboxAddress(keyPair.publicKey), expiryMinutes }
    const content = encodeInstruction({ kind: 'drop' })
    const drop = padPacket(sealLayer({ header, publicKey: keyPair.publicKey, content }))
    assert.equal(receiver.receive(drop, 'r', 1), 'no-message')
    const strange = { ...data(), payload: Uint8Array.of(9, 0) }
    assert.equal(receiver.receive(packet(strange), 'r', 2), 'no-message')
  })

  it('hands acknowledgements and loops on, and answers neither', async () => {
    const { clock, receiver, packet, seen } = await rig()
    const acknowledgement = { messageId: randomBytes(16), count: 1, received: Uint8Array.of(0x80) }
    const answer = acknowledgementMessage(acknowledgement, randomBytes(16))
    assert.equal(receiver.receive(packet(answer), 'r', 1), 'acknowledgement')
    assert.equal(receiver.receive(packet(loopMessage(randomBytes(16))), 'r', 2), 'loop')
    await clock.pass(10_000)
    assert.deepEqual(seen, { acknowledgements: 1, loops: 1, answers: 0 })
  })

  it('looks at a packet once, however many relays deliver it', async () => {
    const { receiver, packet, seen } = await rig()
    const loop = packet(loopMessage(randomBytes(16)))
    receiver.receive(loop, 'a', 1)
    assert.equal(receiver.receive(loop, 'b', 7), 'seen')
    assert.equal(receiver.receive(loop, 'a', 2), 'seen')
    assert.equal(seen.loops, 1)
    assert.deepEqual([receiver.resumeAt('a'), receiver.resumeAt('b')], [2, 7])
  })
})
