import assert from 'node:assert/strict'
import { on } from 'node:events'
import { it } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { ScenarioOrder, ScenarioReport } from '../support/scenario-worker.ts'

const SCENARIOS = Number(process.env['SCENARIOS'] ?? 50)
/** More happens when there is time for it. */
const LEAST_STEPS = SCENARIOS > 50 ? 8 : 4
const FIRST_SEED = Number(process.env['SCENARIO_SEED'] ?? 1)

it(`random conversations end alike, in ${SCENARIOS} scenarios`, async (test) => {
  const order = { firstSeed: FIRST_SEED, count: SCENARIOS, leastSteps: LEAST_STEPS }
  const worker = new Worker(new URL('../support/scenario-worker.ts', import.meta.url), {
    workerData: order satisfies ScenarioOrder,
  })
  const failed: string[] = []
  let done = 0
  for await (const [report] of on(worker, 'message', { close: ['exit'] })) {
    const { seed, failure } = report as ScenarioReport
    done += 1
    if (failure !== undefined) failed.push(`SCENARIO_SEED=${seed}: ${failure}`)
    if (done % 100 === 0) test.diagnostic(`${done} scenarios, ${failed.length} failed`)
  }
  assert.deepEqual(failed, [])
  assert.equal(done, SCENARIOS)
})
