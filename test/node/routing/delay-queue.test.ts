import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import fc from 'fast-check'
import { DelayQueue } from '../../../node/src/routing/delay-queue.ts'

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
      fc.property(fc.array(fc.nat(5_000), { minLength: 1, maxLength: 60 }), (delays) => {
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
      }),
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
})
