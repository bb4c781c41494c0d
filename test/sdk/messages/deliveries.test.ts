import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { messages } from '../../../sdk/src/actions/messages.ts'
import { createCursors } from '../../../sdk/src/messages/cursors.ts'
import {
  Deliveries,
  type Delivery,
  type ReceivedMessage,
} from '../../../sdk/src/messages/deliveries.ts'
import type { Receiver } from '../../../sdk/src/messages/receiver.ts'
import { fakeClock } from '../support/fake-clock.ts'

const settle = async () => {
  for (let i = 0; i < 8; i++) await turn()
}

function rig() {
  const clock = fakeClock()
  const errors: unknown[] = []
  const onHandlerError = (error: unknown) => void errors.push(error)
  const deliveries = new Deliveries<ReceivedMessage>({ clock, onHandlerError })
  const done: string[] = []
  const delivery = (id: string): Delivery<ReceivedMessage> => ({
    message: () => ({ id, from: 'mf1', bytes: new Uint8Array(), packets: 1 }),
    done: async () => void done.push(id),
  })
  return { clock, errors, deliveries, done, delivery }
}

describe('Deliveries', () => {
  it('tries a message again whose handler rejects, while others go on', async () => {
    const { clock, errors, deliveries, done, delivery } = rig()
    let isBroken = true
    deliveries.handle(async ({ id }) => assert.ok(id !== 'a' || !isBroken, 'broken'))
    for (const id of ['a', 'b', 'c']) deliveries.push(delivery(id))
    await settle()
    assert.deepEqual(done, ['b', 'c'])
    assert.equal(errors.length, 1)
    isBroken = false
    await clock.pass(1000)
    assert.deepEqual(done, ['b', 'c', 'a'])
  })

  it('tries again later and later, and not at all once it is closed', async () => {
    const { clock, errors, deliveries, delivery } = rig()
    deliveries.handle(() => Promise.reject(new TypeError('always')))
    deliveries.push(delivery('a'))
    await clock.pass(60_000)
    assert.equal(errors.length, 6) // at 0, 1, 3, 7, 15, 31 s
    deliveries.close()
    await clock.pass(600_000)
    assert.equal(errors.length, 6)
  })

  it('keeps messages until there is a handler', async () => {
    const { deliveries, done, delivery } = rig()
    deliveries.push(delivery('a'))
    await settle()
    assert.deepEqual(done, [])
    deliveries.handle(() => {})
    await settle()
    assert.deepEqual(done, ['a'])
  })

  it('hands messages on one at a time, to every handler', async () => {
    const { deliveries, delivery, done } = rig()
    let running = 0
    const seen: string[] = []
    for (const name of ['x', 'y']) {
      deliveries.handle(async ({ id }) => {
        running += 1
        assert.equal(running, 1)
        await turn()
        seen.push(name + id)
        running -= 1
      })
    }
    for (const id of ['1', '2', '3']) deliveries.push(delivery(id))
    for (let i = 0; i < 5; i++) await settle()
    assert.deepEqual(seen, ['x1', 'y1', 'x2', 'y2', 'x3', 'y3'])
    assert.deepEqual(done, ['1', '2', '3'])
  })
})

describe('messages()', () => {
  const receiverOf = (deliveries: Deliveries<ReceivedMessage>) =>
    ({ handle: deliveries.handle.bind(deliveries) }) as unknown as Receiver<ReceivedMessage>

  it('counts a message as dealt with when the next one is asked for, or the loop is left', async () => {
    const { deliveries, delivery, done } = rig()
    const { signal } = new AbortController()
    for (const id of ['a', 'b', 'c']) deliveries.push(delivery(id))
    const seen: string[] = []
    for await (const { id } of messages({ receiver: receiverOf(deliveries) }, { signal })) {
      assert.deepEqual(done, seen)
      seen.push(id)
      if (id === 'b') break
    }
    await settle()
    assert.deepEqual(done, ['a', 'b'])
  })

  it('ends when the client closes', async () => {
    const { deliveries } = rig()
    const controller = new AbortController()
    const { signal } = controller
    const loop = (async () => {
      for await (const _ of messages({ receiver: receiverOf(deliveries) }, { signal }))
        assert.fail()
    })()
    await settle()
    controller.abort()
    await loop
  })
})

describe('Cursors', () => {
  it('restart before the first packet of whatever is not finished, relay by relay', () => {
    const cursors = createCursors()
    assert.equal(cursors.restartAt('A'), undefined)
    cursors.note('A', 3 * 1024)
    cursors.note('A', 3 * 1024 + 1, 'm')
    cursors.note('A', 6 * 1024 + 1, 'n')
    cursors.note('A', 9_999, 'm')
    cursors.note('B', 501, 'm')
    cursors.note('B', 502)
    assert.equal(cursors.restartAt('A'), 3 * 1024)
    assert.equal(cursors.restartAt('B'), 0)
    cursors.settle('m')
    assert.equal(cursors.restartAt('A'), 6 * 1024)
    assert.equal(cursors.restartAt('B'), 502)
    cursors.settle('n')
    assert.equal(cursors.restartAt('A'), 9_999)
  })

  it('name a packet of ours to no relay, only one of many', () => {
    for (const own of [1, 2, 1023, 1024, 1025, 5000]) {
      const cursors = createCursors()
      cursors.note('A', own, 'm')
      cursors.note('A', own + 10)
      const restartAt = cursors.restartAt('A') ?? Number.NaN
      assert.equal(restartAt % 1024, 0)
      assert.ok(restartAt < own && own - restartAt <= 1024)
      assert.equal(cursors.resumeAt('A'), own + 10)
    }
  })

  it('go back once before what found no room', () => {
    const cursors = createCursors()
    cursors.note('A', 1500)
    cursors.miss('A', 2500)
    cursors.miss('A', 2600)
    cursors.note('A', 2700)
    cursors.note('B', 9)
    assert.equal(cursors.restartAt('A'), 2048)
    assert.deepEqual(cursors.rewind(), ['A'])
    assert.equal(cursors.resumeAt('A'), 2048)
    assert.equal(cursors.resumeAt('B'), 9)
    assert.deepEqual(cursors.rewind(), [])
  })

  it('follow a relay that lost its data and counts anew', () => {
    const cursors = createCursors()
    cursors.note('A', 7000, 'm')
    cursors.note('A', 3)
    assert.equal(cursors.restartAt('A'), 3)
    assert.equal(cursors.resumeAt('A'), 3)
  })
})
