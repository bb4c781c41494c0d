/** `npm run deploy`: from the command line to the exit code. */
import { errorCode, MainframeError } from '@mainframe/protocol'
import { CommanderError } from 'commander'
import { ask } from './ask.ts'
import type { Console } from './commands.ts'
import { readCommand } from './options.ts'

/** What the user can mend by himself: exit code 2. Everything else that fails is 1. */
const USER_ERRORS = ['CONFIG_INVALID', 'CONFIG_IN_USE', 'STORE_LOCKED', 'VALIDATION_FAILED']

const terminal: Console = {
  print: (text) => console.log(text),
  tell: (text) => console.error(text),
  ask: async (text) => {
    if (process.stdin.isTTY) return await ask(text)
    const message = 'Nobody is there to be asked before deploying to a public network; add --yes'
    throw new MainframeError('CONFIG_INVALID', message)
  },
}

/** Runs the command; resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const command = readCommand(argv)
    // loaded only now: a typing error is answered without them
    if (command.command === 'deploy') {
      const { runDeploy } = await import('./commands.ts')
      await runDeploy(command, terminal)
    } else {
      const { runVerify } = await import('./verify.ts')
      await runVerify(command, terminal)
    }
    return 0
  } catch (error) {
    return explain(error)
  }
}

/** One sentence on standard error, and the exit code. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) console.error(sentenceOf(error))
    return error.exitCode === 0 ? 0 : 2
  }
  const code = errorCode(error)
  console.error(error instanceof Error ? error.message : String(error))
  return code !== undefined && USER_ERRORS.includes(code) ? 2 : 1
}

function sentenceOf({ message }: CommanderError): string {
  const text = message
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean (.*)\?\)$/, '; did you mean $1?')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
