/** Questions at the terminal. They go to standard error, as standard output is for the result. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { MainframeError } from '@mainframe/protocol'

/** Exit code after Ctrl-C. */
const INTERRUPTED = 130

/** The line that is typed after the question. Throws `CONFIG_INVALID` when nobody can type one. */
export async function ask(question: string): Promise<string> {
  return await readLine(question, process.stderr)
}

/** The same for a password: nothing of it is shown. */
export async function askSecret(question: string): Promise<string> {
  const dark = new Writable({ write: (_chunk, _encoding, done) => done() })
  process.stderr.write(question)
  try {
    return await readLine('', dark)
  } finally {
    process.stderr.write('\n')
  }
}

function readLine(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY })
  return new Promise((resolve, reject) => {
    lines.once('SIGINT', () => process.exit(INTERRUPTED))
    lines.once('close', () => {
      reject(new MainframeError('CONFIG_INVALID', 'Standard input ended without an answer'))
    })
    lines.question(question, (answer) => {
      resolve(answer)
      lines.close()
    })
  })
}
