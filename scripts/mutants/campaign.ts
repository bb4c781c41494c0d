/** Puts every mutant before the tests, several at a time. */
import { MainframeError } from '@mainframe/protocol'
import type { Mutant } from './generate.ts'
import { readProject } from './project.ts'
import { behaviourTests, type Killer, runSolidity, type Verdict } from './suite.ts'
import type { Row } from './table.ts'
import { Tester } from './tester.ts'
import { type Bench, LONGEST_MS, type Trial, tryMutant } from './trial.ts'
import { createWorkbench, install, removeWorkbench } from './workbench.ts'

/** What a run of Mocha may take: so many times what all of it takes without a fault, and a pause. */
const SLOWER = 5
const PAUSE_MS = 20_000

export interface CampaignOptions {
  jobs: number
  signal: AbortSignal
  /** What killed a mutant the last time is tried first. */
  lastKillers: ReadonlyMap<string, Killer>
  onRow: (row: Row) => void
}

/**
 * The rows of the mutants in their order. Throws `VALIDATION_FAILED` when the tests fail without any fault,
 * `INTERNAL` when they cannot be run, and an `AbortError` when told to stop.
 */
export async function runCampaign(mutants: Mutant[], options: CampaignOptions): Promise<Row[]> {
  const { lastKillers, onRow } = options
  const project = readProject()
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const benches: Bench[] = []
  /** Works on all benches at once; the first error ends the work on the others. */
  const together = async (work: (bench: Bench) => Promise<void>) => {
    await Promise.all(benches.map((bench) => work(bench).catch((error) => failed.abort(error))))
    signal.throwIfAborted()
  }
  try {
    while (benches.length < options.jobs) benches.push(await createBench(signal))
    await together(({ folder }) => install(folder, project.control))
    const costs = await runControl(benches, signal)
    const timeoutMs = SLOWER * [...costs.values()].reduce((sum, cost) => sum + cost, PAUSE_MS)
    const trial: Trial = { project, lastKillers, costs, timeoutMs, signal }
    const rows = new Map<string, Row>()
    const queue = mutants.values()
    await together(async (bench) => {
      for (const mutant of queue) {
        const row = await tryMutant(trial, bench, mutant)
        rows.set(row.id, row)
        onRow(row)
      }
    })
    // by now the processes were used often: did they still tell right from wrong?
    await together(async ({ tester }) => refuse(await tester.run(behaviourTests(), LONGEST_MS)))
    return mutants.flatMap(({ id }) => rows.get(id) ?? [])
  } finally {
    for (const { tester } of benches) tester.stop()
    await Promise.all(benches.map(({ folder }) => removeWorkbench(folder)))
  }
}

async function createBench(signal: AbortSignal): Promise<Bench> {
  const folder = await createWorkbench()
  return { folder, tester: new Tester(folder, signal) }
}

/** All tests without a fault, compiled as the mutants will be: they must pass, and their time is taken. */
async function runControl(benches: Bench[], signal: AbortSignal): Promise<Map<string, number>> {
  const [first, second = first] = benches
  if (first === undefined || second === undefined) return new Map()
  const mocha = await first.tester.run(behaviourTests(), LONGEST_MS)
  refuse(mocha)
  refuse(await runSolidity({ folder: second.folder, signal, timeoutMs: LONGEST_MS }))
  return mocha.durations
}

function refuse({ outcome, killer }: Verdict): void {
  if (outcome === 'passed') return
  throw new MainframeError(
    'VALIDATION_FAILED',
    `Without any fault, "${killer?.test ?? outcome}" fails (${killer?.file ?? 'all tests'}). Repair it; or, if it ` +
      'compares code or gas figures, which another compiler setting changes, name its file in NOT_BEHAVIOUR ' +
      'of scripts/mutants/suite.ts.',
  )
}
