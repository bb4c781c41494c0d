/** One mutant before the tests. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile } from './compiler.ts'
import { EQUIVALENT } from './equivalent.ts'
import type { Mutant } from './generate.ts'
import { type Project, testNameOf } from './project.ts'
import { behaviourTests, type Killer, runSolidity, type Verdict } from './suite.ts'
import type { Row } from './table.ts'
import type { Tester } from './tester.ts'
import { install } from './workbench.ts'

/** For all Mocha tests without a fault, or for compiling and running the Solidity tests. */
export const LONGEST_MS = 1_800_000

/** A copy of the repository and the process that tests it. */
export interface Bench {
  folder: string
  tester: Tester
}

/** What is the same for all mutants. */
export interface Trial {
  project: Project
  lastKillers: ReadonlyMap<string, Killer>
  /** Milliseconds that each test file takes without a fault. */
  costs: ReadonlyMap<string, number>
  timeoutMs: number
  signal: AbortSignal
}

/** Compiles the mutant, lets the tests at it, and leaves the bench as it was. */
export async function tryMutant(trial: Trial, bench: Bench, mutant: Mutant): Promise<Row> {
  const { id, file, line, text } = mutant
  const { sources, settings, control, dependants } = trial.project
  const files = dependants(file)
  const codes = compile(new Map([...sources, [file, text]]), files, settings)
  if (typeof codes === 'string') return { id, file, line, outcome: 'invalid', reason: codes }
  await install(bench.folder, codes)
  const verdict = await runTests(trial, bench, mutant)
  const originals = control.filter((code) => files.includes(code.file))
  await install(bench.folder, originals)
  return { id, file, line, ...outcomeOf(id, verdict) }
}

/** The Solidity tests take a compilation of their own, so they come last. */
async function runTests(trial: Trial, { folder, tester }: Bench, mutant: Mutant): Promise<Verdict> {
  const verdict = await tester.run(inOrder(trial, mutant), trial.timeoutMs)
  if (verdict.outcome !== 'passed') return verdict
  const path = join(folder, mutant.file)
  await writeFile(path, mutant.text)
  const last = await runSolidity({ folder, signal: trial.signal, timeoutMs: LONGEST_MS })
  await writeFile(path, trial.project.sources.get(mutant.file) ?? '')
  return last
}

/** First what killed it the last time, then the tests of its contracts, then the others; quick ones first. */
function inOrder({ costs, lastKillers, project }: Trial, { id, file }: Mutant): string[] {
  const names = project.dependants(file).map(testNameOf)
  const own = (test: string) => names.some((name) => test.startsWith(`test/contracts/${name}`))
  const distance = (test: string) => {
    if (test === lastKillers.get(id)?.file) return 0
    return own(test) ? 1 : 2
  }
  return behaviourTests().sort(
    (a, b) => distance(a) - distance(b) || (costs.get(a) ?? 0) - (costs.get(b) ?? 0),
  )
}

function outcomeOf(id: string, { outcome, killer }: Verdict): Pick<Row, 'outcome'> & Partial<Row> {
  const reason = EQUIVALENT[id]
  const killedBy = killer && { killedBy: killer }
  if (reason !== undefined) {
    const still = outcome === 'passed' ? 'equivalent' : 'not equivalent'
    return { outcome: still, reason, ...killedBy }
  }
  if (outcome === 'failed') return { outcome: 'killed', ...killedBy }
  return { outcome: outcome === 'passed' ? 'survived' : outcome, ...killedBy }
}
