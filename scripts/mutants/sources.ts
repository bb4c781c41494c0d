import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Solidity texts by their path from the root of the repository. */
export type Sources = ReadonlyMap<string, string>

/** All of `contracts/`, sorted by path. */
export function readContracts(): Sources {
  return readSolidity('contracts')
}

/** The contracts that only tests use, without the Solidity tests themselves. */
export function readMocks(): Sources {
  const sources = [...readSolidity('test/contracts')]
  return new Map(sources.filter(([path]) => !path.endsWith('.t.sol')))
}

/**
 * One hash of many files, in hex; any change of the contracts, a comment too, makes another. In a shell:
 * `find contracts -name '*.sol' | LC_ALL=C sort | xargs sha256sum | sha256sum`.
 */
export function hashOf(sources: Sources): string {
  const paths = [...sources.keys()].sort()
  return sha256(paths.map((path) => `${sha256(sources.get(path) ?? '')}  ${path}\n`).join(''))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function readSolidity(folder: string): Sources {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  const paths = names.filter((name) => name.endsWith('.sol')).map((name) => `${folder}/${name}`)
  return new Map(paths.sort().map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
}
