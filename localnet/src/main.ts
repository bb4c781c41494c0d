/** `npm start`: the main job on one machine, live, and then there to be looked at until Ctrl-C. */
import { flushCompileCache } from 'node:module'
import { errorCode } from '@mainframe/protocol'
import { CommanderError } from 'commander'
import { Listr } from 'listr2'
import { readOptions, type StartOptions } from './options.ts'
import { claimPort } from './ports.ts'
import type { Report } from './report.ts'
import { Shutdown } from './shutdown.ts'
import type { Step } from './story.ts'

/** What the user can mend: exit code 2. Everything else that fails is 1. */
const USER_ERRORS = ['CONFIG_INVALID', 'CONFIG_IN_USE', 'MESSAGE_TOO_LONG', 'STORE_LOCKED']

/** Exit code after a signal in the midst of the story. */
export const INTERRUPTED = 130

/** Runs the command; resolves with the exit code when everything has stopped. */
export async function main(argv: readonly string[]): Promise<number> {
  const shutdown = new Shutdown()
  const interrupted = onInterrupt()
  try {
    const outcome = await Promise.race([run(argv, shutdown), interrupted])
    if (outcome === 'interrupted') return INTERRUPTED
    return await finish(outcome.report, outcome.options, interrupted)
  } catch (error) {
    return explain(error)
  } finally {
    await shutdown.stop()
  }
}

async function run(
  argv: readonly string[],
  shutdown: Shutdown,
): Promise<{ options: StartOptions; report: Report }> {
  const options = await readOptions(argv)
  // before the folder is emptied for nothing
  await claimPort(options.chainPort, 'chain')
  await claimPort(options.indexerPort, 'indexer')
  // loaded only now: what cannot work is answered without the code of a network
  const [{ prepareFolder }, { createStory }] = await Promise.all([
    import('./data-folder.ts'),
    import('./story.ts'),
  ])
  const lock = await prepareFolder(options.dataFolder)
  shutdown.add(async () => lock.release())
  flushCompileCache() // for the processes that are about to start
  const story = createStory({ ...options, folder: options.dataFolder, shutdown })
  await runSteps(story.steps, options.json, shutdown)
  return { options, report: await story.report() }
}

/** Prints the report; without --once the network stays up until Ctrl-C. */
async function finish(
  report: Report,
  { json, once }: StartOptions,
  interrupted: Promise<'interrupted'>,
): Promise<number> {
  const { toJson, toText } = await import('./report.ts')
  console.log(json ? toJson(report) : `\n${toText(report)}`)
  if (!report.ok && !json) console.error(`\nNot as it must be: ${report.reason}.`)
  if (!once) {
    if (!json) console.log('\nThe network stays up. Press Ctrl-C to stop it.')
    await interrupted
  }
  return report.ok ? 0 : 1
}

async function runSteps(
  steps: readonly Step[],
  isQuiet: boolean,
  shutdown: Shutdown,
): Promise<void> {
  const tasks = steps.map((step) => ({
    title: step.title,
    task: async (_: unknown, task: { title?: string; output?: string }) => {
      const running = step.run((text) => {
        task.output = text
      })
      const outcome = await running.catch((error) => {
        if (!shutdown.hasBegun) throw error
        return 'stopped'
      })
      task.title = `${step.title}: ${outcome}`
    },
  }))
  const renderer = isQuiet ? 'silent' : 'default'
  await new Listr(tasks, {
    renderer,
    fallbackRenderer: 'simple',
    registerSignalListeners: false,
  }).run()
}

/** A terminal's Ctrl-C reaches us twice, the second time through npm, which passes its own on. */
const SAME_INTERRUPT_MS = 1_000

/** Resolves at the first signal; another one a while later ends the command at once. */
function onInterrupt(): Promise<'interrupted'> {
  return new Promise((resolve) => {
    let firstMs: number | undefined
    const onSignal = () => {
      firstMs ??= performance.now()
      if (performance.now() - firstMs > SAME_INTERRUPT_MS) process.exit(INTERRUPTED)
      resolve('interrupted')
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  })
}

/** One sentence on stderr, and the exit code. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) console.error(sentenceOf(error))
    return error.exitCode === 0 ? 0 : 2
  }
  const code = errorCode(error)
  console.error(error instanceof Error ? error.message : String(error))
  return code !== undefined && USER_ERRORS.includes(code) ? 2 : 1
}

/** Our own sentence about a value, or commander's words about everything else in one sentence. */
function sentenceOf({ message }: CommanderError): string {
  const text = message
    .replace(/^error: /, '')
    .replace(/^option .* argument .* is invalid\. /, '')
    .replace(/\s*\(Did you mean (.*)\?\)$/, '; did you mean $1?')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
