/** solc's model checker (SMTChecker) on the models of proofs/, with z3 as its solver. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'

const ROOT = new URL('../../', import.meta.url)
/** Of the options tried, the one with which z3's Horn solver decides every query here in seconds. */
const SPACER = ['fp.spacer.iuc=0']
/** The longest that z3 may take for one assertion; the slowest proof takes a tenth of it on two busy cores. */
const TIMEOUT_SECONDS = 60
/** solc's codes of its answers about an assertion: it is safe, or it is violated or may be. */
const SAFE = '9576'
const VIOLATED = '6328'

export type Answer = 'proved' | 'refuted' | 'unknown'

export interface Verdict {
  /** `proved` when every assertion is, `refuted` when one is violated, else `unknown`. */
  answer: Answer
  /** How many assertions the model has. */
  assertions: number
  seconds: number
}

/** A text of a source that is replaced before the checker reads it. */
export interface Replacement {
  file: string
  from: string
  to: string
}

interface CompilerMessage {
  severity: string
  errorCode?: string
  message: string
}

const solc = createRequire(import.meta.url)('solc') as {
  compile(input: string, callbacks: object): string
}

/** Whether there is a z3 on the PATH. */
export function hasZ3(): boolean {
  return spawnSync('z3', ['--version'], { stdio: 'ignore' }).status === 0
}

/** A file of this repository as the checker reads it. Throws when the replacement no longer fits. */
export function readSource(path: string, replacement?: Replacement): string {
  const text = readFileSync(new URL(path, ROOT), 'utf8')
  if (replacement?.file !== path) return text
  const { from, to } = replacement
  if (text.split(from).length !== 2) {
    throw new Error(`${path} does not have this exactly once any more, mend the fault: ${from}`)
  }
  return text.replace(from, to)
}

/** Answers a query in SMT-LIB with `sat`, `unsat`, or anything else for not knowing. */
export type Solver = (query: string) => string

/** Checks every assertion of `proofs/<model>.sol`; z3 runs while this waits. */
export function check(model: string, replacement?: Replacement, solver: Solver = solve): Verdict {
  const path = `proofs/${model}.sol`
  const startedAt = performance.now()
  const input = {
    language: 'Solidity',
    sources: { [path]: { content: readSource(path, replacement) } },
    settings: {
      modelChecker: {
        engine: 'chc',
        solvers: ['smtlib2'],
        targets: ['assert'],
        showProvedSafe: true,
        showUnproved: true,
        contracts: { [path]: [model] },
      },
      outputSelection: { '*': { '*': [] } },
    },
  }
  const callbacks = {
    import: (file: string) => ({ contents: readSource(file, replacement) }),
    smtSolver: (query: string) => ({ contents: solver(query) }),
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), callbacks))
  const messages = (output.errors ?? []) as CompilerMessage[]
  const broken = messages.find(({ severity }) => severity === 'error')
  if (broken) throw new Error(`${path} does not compile: ${broken.message}`)
  const answers = messages.flatMap(answerOf)
  return {
    answer: combine(answers),
    assertions: answers.length,
    seconds: (performance.now() - startedAt) / 1_000,
  }
}

function answerOf({ errorCode, message }: CompilerMessage): Answer[] {
  if (errorCode === SAFE) return ['proved']
  if (errorCode !== VIOLATED) return []
  // the same code says `might happen` of what the solver did not decide
  return message.includes('violation happens') ? ['refuted'] : ['unknown']
}

/** No answer at all is none: a model without an assertion proves nothing. */
function combine(answers: readonly Answer[]): Answer {
  if (answers.includes('refuted')) return 'refuted'
  return answers.length > 0 && answers.every((answer) => answer === 'proved') ? 'proved' : 'unknown'
}

function solve(query: string): string {
  const args = ['-in', '-smt2', `-T:${TIMEOUT_SECONDS}`, ...SPACER]
  const { stdout } = spawnSync('z3', args, {
    input: query,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: (TIMEOUT_SECONDS + 10) * 1_000,
    killSignal: 'SIGKILL',
  })
  return stdout || 'unknown'
}
