/** The tests that faults have to be noticed by. */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { MainframeError } from '@mainframe/protocol'
import { ROOT } from './sources.ts'

/** The entry of Hardhat's command line. */
export const HARDHAT_CLI = join(
  createRequire(import.meta.url).resolve('hardhat/package.json'),
  '../dist/src/cli.js',
)

const TESTS = 'test/contracts'
/**
 * Files or folders of test/contracts that are no tests of behaviour: they compare what is compiled with what
 * is committed, or test the deployment or the documents. Any fault would fail some of them.
 */
const NOT_BEHAVIOUR = /^(abi|deploy|docs|gas)\b/

/** A test by its file and its whole title. */
export interface Killer {
  file: string
  test: string
}

export interface Verdict {
  outcome: 'passed' | 'failed' | 'timed out'
  /** The first test that failed. */
  killer?: Killer
  /** Milliseconds by file, of the Mocha tests that ran. */
  durations: Map<string, number>
}

/** The Mocha tests of behaviour, by their paths from the root of the repository. */
export function behaviourTests(): string[] {
  const names = readdirSync(join(ROOT, TESTS), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.test.ts') && !NOT_BEHAVIOUR.test(name))
    .map((name) => `${TESTS}/${name}`)
    .sort()
}

interface SolidityOptions {
  folder: string
  signal: AbortSignal
  timeoutMs: number
}

/** Compiles what lies in the folder and runs its Solidity tests. Throws `INTERNAL` when that fails. */
export async function runSolidity(options: SolidityOptions): Promise<Verdict> {
  const durations = new Map<string, number>()
  const { output, code } = await hardhat(['test', 'solidity'], options)
  if (code === 0) return { outcome: 'passed', durations }
  if (code === null) return { outcome: 'timed out', durations }
  // the first of the failures that Hardhat lists at the end, as `1) ArithmeticTest#testFuzz_...`
  const failure = /^ {2}1\) (\S+)/m.exec(output)
  if (failure === null) {
    throw new MainframeError('INTERNAL', `The Solidity tests do not run:\n${output.slice(-2_000)}`)
  }
  return { outcome: 'failed', killer: { file: TESTS, test: failure[1] ?? '' }, durations }
}

/** No code: it took too long. */
async function hardhat(args: string[], { folder, signal, timeoutMs }: SolidityOptions) {
  const child = spawn(process.execPath, [HARDHAT_CLI, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return await new Promise<{ output: string; code: number | null }>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ output, code }))
  })
}
