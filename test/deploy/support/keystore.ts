/** Hardhat's keystore, in a folder of its own, and processes that are answered as a person would. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Finished } from './command.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const HARDHAT = createRequire(import.meta.url).resolve('hardhat/package.json')
const HARDHAT_CLI = join(HARDHAT, '../dist/src/cli.js')
const DEPLOY_CLI = join(ROOT, 'deploy/cli.ts')
/** Where one of these is set, Hardhat opens no keystore. */
const CI_VARIABLES = [
  'BUILD_NUMBER',
  'CI',
  'CODEBUILD_BUILD_NUMBER',
  'CONTINUOUS_INTEGRATION',
  'DEPLOYMENT_ID',
  'GITHUB_ACTIONS',
  'NOW',
  'RUN_ID',
]

/** The environment of a person at a machine, whose keystore is in `folder`. */
export function atHome(folder: string): Record<string, string | undefined> {
  const away = CI_VARIABLES.map((name) => [name, undefined])
  return { ...Object.fromEntries(away), XDG_CONFIG_HOME: folder }
}

/** `npx hardhat keystore …`, with the answers to its questions. */
export function keystore(folder: string, args: readonly string[], answers: readonly string[]) {
  return converse([HARDHAT_CLI, 'keystore', ...args], folder, answers)
}

/** `npm run deploy -- …`, with the answers to its questions. */
export function deployAtHome(folder: string, args: readonly string[], answers: readonly string[]) {
  return converse([DEPLOY_CLI, ...args], folder, answers)
}

async function converse(
  args: readonly string[],
  folder: string,
  answers: readonly string[],
): Promise<Finished> {
  const env = { ...process.env, ...atHome(folder) }
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: 'pipe' })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const rest = [...answers]
  const finished: Finished = { code: null, out: '', err: '' }
  const hear = (where: 'out' | 'err') => (text: string) => {
    finished[where] += text
    if (!text.endsWith(': ')) return
    child.stdin.write(`${rest.shift() ?? ''}\n`)
    if (rest.length === 0) child.stdin.end()
  }
  child.stdout.setEncoding('utf8').on('data', hear('out'))
  child.stderr.setEncoding('utf8').on('data', hear('err'))
  const [code] = (await once(child, 'close')) as [number | null]
  process.off('exit', killAtExit)
  return { ...finished, code }
}
