/** A place to deploy from: a folder of its own, and a console that is read. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runDeploy } from '../../../deploy/commands.ts'
import type { DeployCommand } from '../../../deploy/options.ts'

export interface Place {
  folder: string
  /** `addresses.json` as text; empty when there is none. */
  records(): Promise<string>
  remove(): Promise<void>
}

export async function createPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-deploy-'))
  return {
    folder,
    records: () => readFile(join(folder, 'addresses.json'), 'utf8').catch(() => ''),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

export interface Run {
  /** Standard output. */
  printed: string
  /** Standard error, a line a step. */
  told: string[]
  /** What was asked before going on. */
  asked: string[]
}

export interface RunOptions extends Partial<Omit<DeployCommand, 'command' | 'data'>> {
  answer?: string
  configFolder?: string
}

/** Runs the command in this process, on localhost unless another network is named. */
export async function deployFrom({ folder }: Place, options: RunOptions = {}): Promise<Run> {
  const { answer = '', configFolder, ...flags } = options
  const run: Run = { printed: '', told: [], asked: [] }
  await runDeploy(
    {
      command: 'deploy',
      network: 'localhost',
      dryRun: false,
      yes: false,
      reset: false,
      json: false,
      data: folder,
      ...flags,
    },
    {
      print: (text) => {
        run.printed += text
      },
      tell: (text) => run.told.push(text),
      ask: async (text) => {
        run.asked.push(text)
        return answer
      },
    },
    configFolder,
  )
  return run
}

/** Sets variables of the environment until the function it returns is called. */
export function withEnvironment(variables: Record<string, string | undefined>): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  for (const [name, value] of Object.entries(variables)) set(name, value)
  return () => {
    for (const [name, value] of before) set(name, value)
  }
}
