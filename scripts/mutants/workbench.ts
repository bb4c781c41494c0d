/** Copies of the repository in temporary folders, where faults are put and tested one after the other. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Code } from './compiler.ts'
import { ROOT } from './sources.ts'

/** Of no use to the tests of the contracts, or too big to copy. */
const LEFT_OUT = new Set(['.git', 'cache', 'coverage', 'data', join('artifacts', 'build-info')])

/** Copies the repository as it stands, with its artifacts, and answers the folder. */
export async function createWorkbench(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-mutants-'))
  await cp(ROOT, folder, { recursive: true, filter: (source) => isWanted(relative(ROOT, source)) })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

export async function removeWorkbench(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

/** Gives the artifacts other code. */
export async function install(folder: string, codes: Code[]): Promise<void> {
  for (const { file, contract, ...code } of codes) {
    const path = join(folder, 'artifacts', file, `${contract}.json`)
    const artifact = JSON.parse(await readFile(path, 'utf8')) as object
    await writeFile(path, JSON.stringify({ ...artifact, ...code }))
  }
}

function isWanted(path: string): boolean {
  return !LEFT_OUT.has(path) && !path.split('/').includes('node_modules')
}
