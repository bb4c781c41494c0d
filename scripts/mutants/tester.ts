import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { MainframeError } from '@mainframe/protocol'
import type { Verdict } from './suite.ts'
import type { Report } from './tester-process.ts'

const PROGRAM = fileURLToPath(new URL('tester-process.ts', import.meta.url))
/** Each run leaves some 20 MB behind. */
const RUNS_PER_PROCESS = 25
const START_TIMEOUT_MS = 120_000

/** Runs the Mocha tests of one workbench, in a process that lives for many runs. */
export class Tester {
  readonly #folder: string
  readonly #signal: AbortSignal
  #child: ChildProcess | undefined
  #runs = 0

  /** `signal` ends a run and the process. */
  constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder
    this.#signal = signal
  }

  /**
   * Runs these files in this order until the first failure. Throws `INTERNAL` when that is not possible. What
   * takes too long, or dies, in a process that was used before gets a second chance in another.
   */
  async run(files: string[], timeoutMs: number): Promise<Verdict> {
    if (this.#runs >= RUNS_PER_PROCESS) this.stop()
    if (this.#runs > 0) {
      const verdict = await this.#tryRun(files, timeoutMs).catch(() => undefined)
      if (verdict !== undefined && verdict.outcome !== 'timed out') return verdict
      this.stop()
      this.#signal.throwIfAborted()
    }
    return await this.#tryRun(files, timeoutMs)
  }

  stop(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
    this.#runs = 0
  }

  async #tryRun(files: string[], timeoutMs: number): Promise<Verdict> {
    this.#child ??= await this.#start()
    this.#runs += 1
    this.#child.send(files)
    const report = (await this.#answer(this.#child, timeoutMs)) as Report | undefined
    if (report === undefined) {
      this.stop()
      return { outcome: 'timed out', durations: new Map() }
    }
    const { broken, durations, ...verdict } = report
    if (broken !== undefined)
      throw new MainframeError('INTERNAL', `The tests do not run: ${broken}`)
    return { ...verdict, durations: new Map(Object.entries(durations)) }
  }

  async #start(): Promise<ChildProcess> {
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const
    const child = fork(PROGRAM, { cwd: this.#folder, stdio: [...stdio] })
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    if ((await this.#answer(child, START_TIMEOUT_MS)) === 'ready') return child
    child.kill('SIGKILL')
    throw new MainframeError('INTERNAL', 'The process that runs the tests does not start.')
  }

  /** The next message; nothing when it takes too long. */
  async #answer(child: ChildProcess, timeoutMs: number): Promise<unknown> {
    const late = AbortSignal.timeout(timeoutMs)
    const ended = new AbortController()
    const end = () => ended.abort()
    child.once('exit', end)
    try {
      const signal = AbortSignal.any([this.#signal, late, ended.signal])
      const [message] = await once(child, 'message', { signal })
      return message
    } catch (error) {
      if (ended.signal.aborted) {
        throw new MainframeError('INTERNAL', 'The process that runs the tests died.', {
          cause: error,
        })
      }
      if (late.aborted) return undefined
      throw error
    } finally {
      child.off('exit', end)
    }
  }
}
