import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createCounts, OPENED_OUTCOMES } from '../../node/src/routing/outcomes.ts'
import { OpenedReport } from '../../node/src/status.ts'

describe('The report of what was opened', () => {
  it('shows nothing of a packet that is opened and delayed before the interval ends', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const router = { opened: createCounts(OPENED_OUTCOMES), delayedCount: 0 }
    const report = new OpenedReport(router, 600_000)
    const before = structuredClone(report.published)
    router.opened.forward += 1
    router.delayedCount += 1
    t.mock.timers.tick(599_999)
    assert.deepEqual(report.published, before)
    t.mock.timers.tick(1)
    assert.equal(report.published.opened.forward, 1)
    assert.equal(report.published.delayed, 1)
    report.stop()
  })
})
