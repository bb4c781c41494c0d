/** `npm run deploy` as a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../../deploy/cli.ts', import.meta.url))

export interface Finished {
  code: number | null
  out: string
  err: string
}

/** Runs the command; `onError` sees what has been written to standard error, and may kill it. */
export async function command(
  args: readonly string[],
  variables: Record<string, string> = {},
  onError: (text: string, kill: () => void) => void = () => {},
): Promise<Finished> {
  const env = { ...process.env, ...variables }
  // nobody is at the terminal, and nobody's keystore is to be opened
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...env, CI: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
    onError(err, () => child.kill('SIGKILL'))
  })
  const [code] = (await once(child, 'close')) as [number | null]
  process.off('exit', killAtExit)
  return { code, out, err }
}
