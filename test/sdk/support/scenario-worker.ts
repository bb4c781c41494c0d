/**
 * Runs scenarios in a thread of its own. In the thread of a test, the runner follows every promise to
 * the test that made it, and these make so many that this takes a third of the time.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { trustingMls } from './mls-members.ts'
import { runScenario } from './scenario.ts'

export interface ScenarioOrder {
  firstSeed: number
  count: number
  leastSteps: number
}

/** What became of one of them. */
export interface ScenarioReport {
  seed: number
  failure: string | undefined
}

const { firstSeed, count, leastSteps } = workerData as ScenarioOrder
const mls = await trustingMls()
for (let seed = firstSeed; seed < firstSeed + count; seed++) {
  const failure = await runScenario(mls, seed, leastSteps).then(
    () => undefined,
    (error) => String(error),
  )
  parentPort?.postMessage({ seed, failure } satisfies ScenarioReport)
}
