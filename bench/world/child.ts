/** Processes of a bench that speak with it in messages. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Shutdown } from '../../localnet/src/shutdown.ts'

/** A message to or from a child: what it is, and its content. */
export interface Note {
  type: string
  [field: string]: unknown
}

export class Child {
  readonly #process: ChildProcess
  readonly #waiting = new Map<string, PromiseWithResolvers<Note>>()
  readonly #listeners = new Map<string, (note: Note) => void>()

  /** Starts a file of bench/ and gives it its settings, never by argument: they hold keys. */
  constructor(file: string, settings: object, shutdown: Shutdown) {
    const path = fileURLToPath(new URL(`../${file}`, import.meta.url))
    this.#process = fork(path, { serialization: 'advanced' })
    shutdown.add(() => this.stop())
    this.#process.on('message', (note: Note) => this.#onNote(note))
    this.#process.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} has ended`))
    })
    this.send('settings', { settings })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  send(type: string, fields: object = {}): void {
    this.#process.send({ type, ...fields })
  }

  /** The next note of that type. */
  next(type: string): Promise<Note> {
    const slot = this.#waiting.get(type) ?? Promise.withResolvers<Note>()
    this.#waiting.set(type, slot)
    return slot.promise
  }

  /** Calls back for each note of that type from now on. */
  on(type: string, listener: (note: Note) => void): void {
    this.#listeners.set(type, listener)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()))
    this.#process.kill('SIGKILL')
    await gone
  }

  #onNote(note: Note): void {
    this.#listeners.get(note.type)?.(note)
    const slot = this.#waiting.get(note.type)
    this.#waiting.delete(note.type)
    slot?.resolve(note)
  }
}

/** The child's side: calls back for each note of that type. */
export function onNote(type: string, listener: (note: Note) => void): void {
  process.on('message', (note: Note) => {
    if (note.type === type) listener(note)
  })
}

/** The child's side: tells the bench. */
export function tellBench(type: string, fields: object = {}): void {
  process.send?.({ type, ...fields })
}

/** The child's side: the settings that it was started with. */
export function settingsOf<Settings>(): Promise<Settings> {
  return new Promise((resolve) => {
    onNote('settings', ({ settings }) => resolve(settings as Settings))
  })
}
