import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { headerOf } from '@mainframe/protocol'
import { Outbox, type OwedCopy } from '../../../node/src/routing/outbox.ts'
import { inboxPacket, NOW_MS, relay } from '../support/rule-world.ts'

const PACKET = inboxPacket('')
const HEADER = headerOf(PACKET)
/** More than a turn of the event loop would want to send. */
const A_TURN = 100

/** A copy that any of these relays may take. */
function owed(...bits: string[]): OwedCopy {
  assert.ok(HEADER !== 'malformed')
  const copy = { level: 256, postageUnits: 1, relays: bits.map((each) => relay(each)) }
  return { packet: PACKET, header: HEADER, copy, attempts: 0, dueMs: 0 }
}

describe('The outbox', () => {
  let outbox: Outbox
  let retried: OwedCopy[] = []
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: NOW_MS })
    retried = []
    outbox = new Outbox({ capacity: 20_000, retry: (copy) => retried.push(copy) })
  })
  afterEach(() => {
    outbox.clear()
    mock.timers.reset()
  })

  it('takes no more than it has room for', () => {
    const small = new Outbox({ capacity: 1, retry: () => {} })
    assert.deepEqual([small.keep(owed('1')), small.keep(owed('1'))], [true, false])
    small.clear()
  })

  it('retries nothing after it was cleared, also in the midst of a look', () => {
    for (let i = 0; i < 1_000; i++) outbox.keep(owed('1'))
    outbox.wake('1')
    const before = retried.length
    outbox.clear()
    mock.timers.tick(10_000)
    assert.deepEqual([outbox.size, retried.length], [0, before])
  })

  it('wakes what waits for a peer and nothing else, a bounded number in a turn', () => {
    for (let i = 0; i < 10_000; i++) outbox.keep(owed(i % 2 ? '1' : '01'))
    outbox.wake('1')
    assert.ok(retried.length > 0 && retried.length <= A_TURN, `${retried.length} at once`)
    let turns = 1
    for (let before = 0; before < retried.length; turns++) {
      before = retried.length
      mock.timers.tick(1)
      assert.ok(retried.length - before <= A_TURN)
    }
    assert.equal(retried.length, 5_000)
    assert.ok(retried.every(({ copy }) => copy.relays[0]?.peerKey === '1'))
    assert.ok(turns > 50)
  })

  it('looks at a bounded number of relays in a turn, however many a copy is for', () => {
    let compared = 0
    const counted = owed()
    const relays = Array.from({ length: 5_000 }, () => ({
      ...relay('0'),
      get peerKey() {
        compared += 1
        return '0'
      },
    }))
    for (let i = 0; i < 100; i++) outbox.keep({ ...counted, copy: { ...counted.copy, relays } })
    outbox.wake('1')
    assert.ok(compared > 0 && compared <= 110_000, `${compared} at once`)
    mock.timers.tick(1)
    assert.ok(compared <= 220_000)
  })

  it('forgets no peer that comes back while it looks', () => {
    for (let i = 0; i < 1_000; i++) outbox.keep(owed(i % 2 ? '1' : '01'))
    outbox.wake('1')
    outbox.wake('01')
    for (let i = 0; i < 100; i++) mock.timers.tick(1)
    assert.equal(retried.length, 1_000)
  })

  it('does not try again in one look what it had to keep again', () => {
    const stubborn: Outbox = new Outbox({
      capacity: 10,
      retry: (copy) => {
        retried.push(copy)
        stubborn.keep(copy)
      },
    })
    stubborn.keep(owed('1'))
    stubborn.wake('1')
    assert.deepEqual([retried.length, stubborn.size], [1, 1])
    stubborn.clear()
  })

  it('spreads what is due at once over turns', () => {
    for (let i = 0; i < 5_000; i++) outbox.keep(owed('1'))
    let most = 0
    for (let ms = 0; ms < 1_500; ms++) {
      const before = retried.length
      mock.timers.tick(1)
      most = Math.max(most, retried.length - before)
    }
    assert.equal(retried.length, 5_000)
    assert.ok(most <= A_TURN, `${most} in a turn`)
  })
})
