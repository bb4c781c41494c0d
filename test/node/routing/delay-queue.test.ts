import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { DelayQueue, ITEMS_PER_TURN } from '../../../node/src/routing/delay-queue.ts'

describe('The delay queue', () => {
  it('refuses past its capacity', () => {
    const queue = new DelayQueue<number>({ capacity: 2, onDue: () => {} })
    assert.ok(queue.push(Date.now() + 60_000, 1))
    assert.ok(queue.push(Date.now() + 60_000, 2))
    assert.ok(!queue.push(Date.now(), 3))
    queue.clear()
  })

  it('hands out nothing after it was cleared', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    const out: number[] = []
    const queue = new DelayQueue<number>({ capacity: 2, onDue: (item) => out.push(item) })
    queue.push(10, 1)
    queue.clear()
    t.mock.timers.tick(100)
    assert.deepEqual(out, [])
  })

  it('hands everything out in the order of its time, never early, with one timer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 60 }),
        (delays) => {
          mock.timers.enable({ apis: ['setTimeout', 'Date'] })
          try {
            const out: { dueMs: number; atMs: number }[] = []
            const onDue = (dueMs: number) => out.push({ dueMs, atMs: Date.now() })
            const queue = new DelayQueue<number>({ capacity: 60, onDue })
            for (const delay of delays) assert.ok(queue.push(delay, delay))
            for (let i = 0; i < 51; i++) mock.timers.tick(100)
            assert.deepEqual(
              out.map(({ dueMs }) => dueMs),
              delays.toSorted((a, b) => a - b),
            )
            for (const { dueMs, atMs } of out) assert.ok(atMs >= dueMs && atMs <= dueMs + 100)
            assert.equal(queue.size, 0)
          } finally {
            mock.timers.reset()
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('takes what is pushed while it hands out', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    const out: number[] = []
    const queue: DelayQueue<number> = new DelayQueue({
      capacity: 10,
      onDue: (item) => {
        out.push(item)
        if (item < 3) queue.push(Date.now() + 10, item + 1)
      },
    })
    queue.push(10, 1)
    t.mock.timers.tick(10)
    t.mock.timers.tick(10)
    t.mock.timers.tick(10)
    assert.deepEqual(out, [1, 2, 3])
  })

  it('waits for the next turn only with what is due already', async () => {
    const out: number[] = []
    const queue = new DelayQueue<number>({ capacity: 2, onDue: (item) => out.push(item) })
    queue.push(Date.now(), 1)
    assert.deepEqual(out, [])
    await setImmediate()
    assert.deepEqual(out, [1])
  })

  it('holds 100,000 items and hands out a bounded number of them in a turn, in order', async () => {
    const count = 100_000
    let now = 0
    let last = 0
    let out = 0
    const queue = new DelayQueue<number>({
      capacity: count,
      now: () => now,
      onDue: (dueMs) => {
        assert.ok(dueMs >= last)
        last = dueMs
        out += 1
      },
    })
    for (let i = 0; i < count; i++)
      queue.push(1e6 + ((i * 7_919) % 1_000), 1 + ((i * 7_919) % 1_000))
    assert.equal(queue.size, count)
    assert.ok(!queue.push(1, 1))
    queue.clear()
    // as if a clock had jumped: all of them are due, in an order that is none
    now = 2_000
    for (let i = 0; i < count; i++) queue.push(1 + ((i * 7_919) % 1_000), 1 + ((i * 7_919) % 1_000))
    let turns = 0
    for (; queue.size > 0; turns++) {
      const before = out
      await setImmediate()
      assert.ok(out - before <= ITEMS_PER_TURN, `${out - before} in one turn`)
    }
    assert.equal(out, count)
    assert.ok(turns >= count / ITEMS_PER_TURN - 1)
  })
})
