import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyPair, type Hex, MainframeError, toHex } from '@mainframe/protocol'
import { createExperience } from '../../../sdk/src/directory/experience.ts'
import { Outbox } from '../../../sdk/src/messages/outbox.ts'
import type { Parcel } from '../../../sdk/src/messages/parcel.ts'
import {
  decodePayload,
  PUBLICATION_BYTES,
  publicationCount,
} from '../../../sdk/src/messages/payload.ts'
import { PROFILES } from '../../../sdk/src/profiles.ts'
import { randomBytes } from '../../../sdk/src/random.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { hexOf } from '../support/relays.ts'
import { seededRandom } from '../support/seeded-random.ts'

const DAY_MS = 86_400_000
const PATH: readonly Hex[] = [hexOf('a'), hexOf('b'), hexOf('c')]

function rigOf() {
  const clock: FakeClock = fakeClock()
  const experience = createExperience()
  const self = createKeyPair()
  const outbox = new Outbox({
    clock,
    random: seededRandom(3),
    experience,
    replyTo: self.publicKey,
    times: { firstMs: 2_000, lastMs: 30_000, quietMs: PROFILES.local.quietMs },
    carriage: { holdClass: '1d', hops: 3, delayMs: 0 },
    restMs: PROFILES.local.restMs,
    onWork: () => {},
    onNothingBack: () => {},
    onUnderpaid: () => {},
  })
  const group = { address: randomBytes(32), isEchoed: true }
  const publish = (bytes: Uint8Array, changes = {}) =>
    outbox.send({
      to: createKeyPair().publicKey,
      group,
      bytes,
      messageId: randomBytes(16),
      count: publicationCount(bytes.length),
      holdClass: '1d',
      hops: 3,
      delayMs: 0,
      deadlineMs: clock.now() + DAY_MS,
      onProgress: undefined,
      ...changes,
    })
  /** Everything that waits, as the courier takes it. */
  const takeAll = () => {
    const taken: Parcel[] = []
    for (let parcel = outbox.next(); parcel; parcel = outbox.next()) {
      parcel.shipped(PATH)
      taken.push(parcel)
    }
    return taken
  }
  const weight = () => Math.min(...PATH.map((id) => experience.weight(id, clock.now())))
  return { clock, self, outbox, group, publish, takeAll, weight }
}

const long = (fragments: number) => new Uint8Array(fragments * PUBLICATION_BYTES).fill(7)

describe('A message for a group', () => {
  it('is given up when no entry relay takes it in time, and hopeless at once when none ever can', async () => {
    const { clock, publish, takeAll } = rigOf()
    const one = await publish(long(1), { deadlineMs: clock.now() + 5_000 })
    for (let round = 0; round < 3; round++) {
      for (const parcel of takeAll()) parcel.refused('busy')
      await clock.pass(1_000)
    }
    assert.equal(one.state, 'queued')
    await clock.pass(5_000)
    const error = { code: 'MESSAGE_UNDELIVERED', message: /not taken by an entry relay in time/ }
    await assert.rejects(one.whenAccepted, error)
    const two = await publish(long(1))
    for (const parcel of takeAll()) parcel.refused('bad-key')
    await assert.rejects(two.whenAccepted, { code: 'MESSAGE_UNDELIVERED' })
  })

  it('is never sent again once it was taken; ways by which it does not come back are doubted', async () => {
    const { clock, outbox, publish, takeAll, weight } = rigOf()
    const message = await publish(long(2))
    for (const parcel of takeAll()) parcel.accepted()
    await message.whenAccepted
    assert.equal(outbox.count, 1)
    for (let i = 0; i < 5; i++) {
      await clock.pass(60_000)
      for (const parcel of takeAll()) {
        assert.equal(decodePayload(parcel.message)?.kind, 'loop', 'nothing but tests of relays')
        parcel.accepted()
      }
    }
    await message.whenOver
    assert.deepEqual([message.state, message.arrived, outbox.count], ['accepted', 0, 0])
    assert.ok(weight() < 1)
    outbox.close(new MainframeError('NETWORK_CLOSED', 'over'))
  })

  it('stays accepted when its time or the client ends before it is back', async () => {
    const { clock, outbox, publish, takeAll } = rigOf()
    const one = await publish(long(1), { deadlineMs: clock.now() + 100 })
    const two = await publish(long(1))
    for (const parcel of takeAll()) parcel.accepted()
    await clock.pass(100)
    await one.whenOver
    assert.deepEqual([one.state, two.isOver], ['accepted', false])
    outbox.close(new MainframeError('NETWORK_CLOSED', 'over'))
    await two.whenOver
    assert.equal(two.state, 'accepted')
  })

  it('is sent again by another way when the link ends before the entry relay took it', async () => {
    const { publish, takeAll } = rigOf()
    const message = await publish(long(1))
    for (const parcel of takeAll()) parcel.returned()
    const again = takeAll()
    assert.equal(again.length, 1)
    for (const parcel of again) parcel.accepted()
    await message.whenAccepted
  })

  it('takes no acknowledgement, and no second message of its id', async () => {
    const { outbox, publish, takeAll } = rigOf()
    const messageId = randomBytes(16)
    const message = await publish(long(1), { messageId })
    await assert.rejects(publish(long(1), { messageId }), { code: 'VALIDATION_FAILED' })
    for (const parcel of takeAll()) parcel.accepted()
    outbox.onAcknowledgement({
      kind: 'acknowledgement',
      messageId,
      count: 1,
      received: Uint8Array.of(0x80),
    })
    assert.deepEqual([message.state, message.isOver], ['accepted', false])
    outbox.onEcho(toHex(messageId).slice(2), 0)
    await message.whenOver
    await publish(long(1), { messageId })
  })

  it('is over when all of it is back, which proves its ways', async () => {
    const { outbox, publish, takeAll, weight } = rigOf()
    const message = await publish(long(3))
    for (const parcel of takeAll()) parcel.accepted()
    for (const index of [2, 0, 0]) outbox.onEcho(message.key, index)
    assert.equal(message.isOver, false)
    outbox.onEcho(message.key, 1)
    await message.whenOver
    assert.deepEqual([message.arrived, weight(), outbox.count], [3, 1, 0])
  })

  it('is over with the entry relay where nobody listens for it', async () => {
    const { group, publish, takeAll, weight } = rigOf()
    const message = await publish(long(1), { group: { ...group, isEchoed: false } })
    for (const parcel of takeAll()) parcel.accepted()
    await message.whenOver
    assert.deepEqual([message.state, weight()], ['accepted', 1])
  })

  it('goes to the address of the group, and has nothing of its sender in it', async () => {
    const { self, group, publish, takeAll } = rigOf()
    await publish(long(2))
    const parcels = takeAll()
    assert.equal(parcels.length, 2)
    for (const { address, message } of parcels) {
      assert.deepEqual(address, group.address)
      assert.equal(message.payload.length, 2 + PUBLICATION_BYTES)
      assert.equal(toHex(message.payload).includes(toHex(self.publicKey).slice(2)), false)
      assert.equal(decodePayload(message)?.kind, 'publication')
    }
  })
})
