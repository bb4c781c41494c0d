/** Child processes that speak JSON lines on stdout and log to a file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { MainframeError } from '@mainframe/protocol'
import { COMPILE_CACHE_FOLDER } from './compile-cache.ts'

/** A line of JSON that a service printed, such as `{"event":"ready"}`. */
export interface ServiceEvent {
  event: string
  [key: string]: unknown
}

export interface ServiceOptions {
  name: string
  /** Arguments of this very Node. Never secrets: anybody on the machine can read them. */
  args: readonly string[]
  /** Everything on stderr goes here. */
  logFile: string
  env?: Record<string, string>
  /** A command that runs the one behind it, such as `['nice', '-n', '5']`; it must exec, not fork. */
  wrapper?: readonly string[]
}

/** How long a stopped process may take before it is killed. */
const STOP_TIMEOUT_MS = 5_000

/** Detached processes would outlive us, so whichever way we exit, none is left. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class Service {
  readonly name: string
  readonly #child: ChildProcess
  readonly #logFile: string
  readonly #events = new Map<string, PromiseWithResolvers<ServiceEvent>>()
  readonly exited: Promise<void>

  constructor({ name, args, logFile, env = {}, wrapper = [] }: ServiceOptions) {
    this.name = name
    this.#logFile = logFile
    const log = openSync(logFile, 'a')
    // A process group of its own: Ctrl-C reaches only us, and we stop the parts in order.
    const [command = process.execPath, ...rest] = [...wrapper, process.execPath, ...args]
    this.#child = spawn(command, rest, {
      stdio: ['ignore', 'pipe', log],
      detached: true,
      env: { ...inheritedEnvironment(), NODE_COMPILE_CACHE: COMPILE_CACHE_FOLDER, ...env },
    })
    closeSync(log)
    running.add(this.#child)
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', () => resolve())
    })
    void this.exited.then(() => this.#onExit())
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (l) => this.#onLine(l))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** `undefined` while it runs, and when a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child.exitCode ?? undefined
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The first event of that name. Rejects with `INTERNAL` when the process ends or is too slow. */
  async waitFor(event: string, timeoutMs: number): Promise<ServiceEvent> {
    const { promise, reject } = this.#slot(event)
    const timer = setTimeout(() => reject(this.failure(`said no "${event}" in time`)), timeoutMs)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** Asks the process to stop, kills it when it does not, and resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.exited
    clearTimeout(timer)
  }

  /** What a power cut does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  #slot(event: string): PromiseWithResolvers<ServiceEvent> {
    const known = this.#events.get(event)
    if (known) return known
    const slot = Promise.withResolvers<ServiceEvent>()
    slot.promise.catch(() => {}) // not everybody waits for every event
    this.#events.set(event, slot)
    if (!this.isRunning) slot.reject(this.failure('has ended'))
    return slot
  }

  #onLine(line: string): void {
    const event = parseEvent(line)
    if (event) this.#slot(event.event).resolve(event)
  }

  #onExit(): void {
    running.delete(this.#child)
    for (const slot of this.#events.values()) slot.reject(this.failure('has ended'))
  }

  /** An error that quotes what the process last logged. */
  failure(what: string): MainframeError {
    const lastLine = readFileSync(this.#logFile, 'utf8').trim().split('\n').at(-1) ?? ''
    const reason = lastLine.slice(0, 300) || `nothing in ${this.#logFile} says why`
    return new MainframeError('INTERNAL', `The ${this.name} process ${what}: ${reason}`)
  }
}

/** What a service gets of our environment: no setting or secret that was meant for something else. */
function inheritedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_EXTRA_CA_CERTS']
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function parseEvent(line: string): ServiceEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    const isEvent = typeof value === 'object' && value !== null && 'event' in value
    return isEvent ? (value as ServiceEvent) : undefined
  } catch {
    return undefined // services may print other things
  }
}
