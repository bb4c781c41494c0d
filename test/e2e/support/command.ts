/** `npm start` as a child process, and what it leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { until } from './waiting.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

export class Command {
  readonly #child: ChildProcess
  readonly finished: Promise<Finished>
  stdout = ''
  stderr = ''

  /** Runs `localnet/src/cli.ts`; standard input ends after `input`, or stays open for {@link feed}. */
  constructor(args: readonly string[], input: Uint8Array | 'open' = new Uint8Array(0)) {
    this.#child = spawn(process.execPath, ['localnet/src/cli.ts', ...args], { cwd: ROOT })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // A command that refuses early does not read its input to the end.
    this.#child.stdin?.on('error', () => {})
    if (input !== 'open') this.#child.stdin?.end(input)
    const killAtExit = () => this.#child.kill('SIGTERM')
    process.once('exit', killAtExit)
    this.finished = once(this.#child, 'close').then(([code]) => {
      process.off('exit', killAtExit)
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr }
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when the command has read that much of its standard input, but for a pipe's worth. */
  async feed(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#child.stdin?.write(bytes, () => resolve()))
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The first line of standard output. */
  async firstLine(): Promise<string> {
    await until(
      'the command prints a line or ends',
      () => this.stdout.includes('\n') || !this.isRunning,
    )
    return this.stdout.split('\n')[0] ?? ''
  }

  async stop(): Promise<void> {
    if (this.isRunning) this.signal('SIGTERM')
    await this.finished
  }
}

/** Whether somebody listens on a port of this machine. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
  } finally {
    socket.destroy()
  }
}

/** Command lines of processes that name `text`; empty where the system does not show them. */
export async function processesNaming(text: string): Promise<string[]> {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`)
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines.filter((line) => line.includes(text)).map((line) => line.replaceAll('\0', ' '))
}
