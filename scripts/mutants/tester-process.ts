/**
 * A process that runs Mocha again and again, started in a workbench by tester.ts. What costs most, Hardhat, is
 * loaded once; the tests and their chain are loaded anew for every run, as other modules than before.
 */
import { registerHooks } from 'node:module'
import { relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import Mocha from 'mocha'
import type { Verdict } from './suite.ts'

/** Told to the parent after each run. */
export interface Report extends Omit<Verdict, 'durations'> {
  /** Why there was no run. */
  broken?: string
  /** Milliseconds by file, of the tests that ran. */
  durations: Record<string, number>
}

/** Mocha's own reporters write out both sides of a failed comparison, which may be a whole chain: for minutes. */
class Silent {}

const folder = process.cwd()
const base = pathToFileURL(`${folder}/`).href
let run = 0

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const isOurs = resolved.url.startsWith(base) && resolved.url.endsWith('.ts')
    return run > 0 && isOurs ? { ...resolved, url: `${resolved.url}?run=${run}` } : resolved
  },
})

// a test that failed may leave a promise behind, which must not fail a test of the next run
process.on('unhandledRejection', () => {})
process.setMaxListeners(0)

// finds the configuration by the working directory; loaded before the first run, so it stays the same module
const { config } = await import('hardhat')

process.on('message', (files: string[]) => {
  runTests(files).then(answer, (error) => {
    answer({ outcome: 'failed', broken: String(error), durations: {} })
  })
})
process.send?.('ready')

function answer(report: Report): void {
  process.send?.(report)
}

async function runTests(files: string[]): Promise<Report> {
  run += 1
  const report: Report = { outcome: 'passed', durations: {} }
  const local = (file = '') => relative(folder, file)
  const reporter = Silent as unknown as Mocha.ReporterConstructor
  const mocha = new Mocha({ ...config.test.mocha, bail: true, reporter })
  for (const file of files) mocha.addFile(`${folder}/${file}`)
  await mocha.loadFilesAsync()
  await new Promise((resolve) => {
    const runner = mocha.run(resolve)
    runner.on('test end', ({ file, duration = 0 }) => {
      report.durations[local(file)] = (report.durations[local(file)] ?? 0) + duration
    })
    runner.on('fail', (failed, error: { code?: string }) => {
      if (report.killer !== undefined) return
      report.outcome = error.code === 'ERR_MOCHA_TIMEOUT' ? 'timed out' : 'failed'
      report.killer = { file: local(failed.file), test: failed.fullTitle() }
    })
  })
  return report
}
