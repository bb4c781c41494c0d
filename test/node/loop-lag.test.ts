import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LoopLag } from '../../node/src/loop-lag.ts'

const BLOCKED_MS = 150

describe('The lag of the event loop', () => {
  it('is nothing before an interval has ended, then shows how long a turn took', async (t) => {
    const lag = new LoopLag(300)
    t.after(() => lag.stop())
    assert.deepEqual(lag.published, { p50: 0, p99: 0, max: 0 })
    await sleep(50) // let it look a few times before
    const end = performance.now() + BLOCKED_MS
    while (performance.now() < end);
    while (lag.published.max === 0) await sleep(10)
    const { p50, p99, max } = lag.published
    assert.ok(max >= (BLOCKED_MS - 20) / 1_000, `${max} s`)
    assert.ok(p50 <= p99 && p99 <= max)
  })
})
