/**
 * All tests: contracts with Hardhat, everything else with Node's own runner. Ends with one line that
 * counts them all. `npm test -- node sdk` runs only the folders named (contracts, protocol, …, e2e).
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const HARDHAT_CLI = join(
  createRequire(import.meta.url).resolve('hardhat/package.json'),
  '../dist/src/cli.js',
)
/** Folders under test/ that hold no tests of their own. */
const NOT_SUITES = new Set(['helpers', 'vectors'])

const suites = readdirSync(join(ROOT, 'test')).filter((name) => !NOT_SUITES.has(name))
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !suites.includes(name))
if (unknown.length > 0) {
  console.error(`No tests in test/${unknown[0]}; there are: ${suites.join(', ')}`)
  process.exit(2)
}
const chosen = wanted.length > 0 ? wanted : suites

// Whoever needs the contracts finds them compiled, and none of what the compiler says among what he prints.
await run([HARDHAT_CLI, 'build', '--quiet'])

const results: Counts[] = []
const others = chosen.filter((name) => name !== 'contracts' && name !== 'e2e').filter(hasTests)
if (others.length > 0) results.push(await runNode(others, 3))
// A network of processes waits much and needs both cores at times: one at a time, beside Hardhat, which needs one.
const networks = chosen.includes('e2e') ? runNode(['e2e'], 1) : undefined
const contracts = chosen.includes('contracts') ? runContracts() : undefined
for (const running of [networks, contracts]) if (running) results.push(await running)

const sum = (key: keyof Counts) => results.reduce((total, counts) => total + counts[key], 0)
const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped}`)
process.exitCode = sum('failed') > 0 ? 1 : 0

function hasTests(suite: string): boolean {
  const files = readdirSync(join(ROOT, 'test', suite), { recursive: true, encoding: 'utf8' })
  return files.some((file) => file.endsWith('.test.ts'))
}

async function runContracts(): Promise<Counts> {
  const { output, code } = await run([HARDHAT_CLI, 'test'], { printsAtOnce: false })
  process.stdout.write(output)
  const count = (word: string) =>
    [...output.matchAll(new RegExp(`(\\d+) ${word}`, 'g'))].reduce((n, m) => n + Number(m[1]), 0)
  return withCode({ passed: count('passing'), failed: count('failing'), skipped: 0 }, code)
}

async function runNode(folders: readonly string[], filesAtATime: number): Promise<Counts> {
  const patterns = folders.map((folder) => `test/${folder}/**/*.test.ts`)
  // Short databases do not repay what V8 spends on optimising PGlite's wasm: a third of the indexer's tests.
  const flags = [
    '--liftoff-only',
    ...['--test', `--test-concurrency=${filesAtATime}`],
    ...['--test-reporter=spec', '--test-timeout=420000'],
  ]
  const { output, code } = await run([...flags, ...patterns])
  const count = (word: string) =>
    Number(output.match(new RegExp(`^ℹ ${word} (\\d+)$`, 'm'))?.[1] ?? 0)
  const counts = { passed: count('pass'), failed: count('fail'), skipped: count('skipped') }
  return withCode({ ...counts, failed: counts.failed + count('cancelled') }, code)
}

/** A runner that died without counting a failure is a failure, and so is one that ran nothing. */
function withCode(counts: Counts, code: number): Counts {
  const ranNothing = counts.passed + counts.failed === 0
  const unseen = counts.failed === 0 && (code !== 0 || ranNothing)
  return unseen ? { ...counts, failed: 1 } : counts
}

/** What is printed later is whole: two that print at once would share lines. */
function run(
  args: readonly string[],
  { printsAtOnce = true } = {},
): Promise<{ output: string; code: number }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (printsAtOnce) process.stdout.write(text)
    })
    child.once('close', (code) => resolve({ output, code: code ?? 1 }))
  })
}
