/** The Markdown of the repository, taken apart. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** Folders of what was installed, built or left by a run. */
const NOT_OURS = new Set(['node_modules', 'artifacts', 'cache', 'coverage', 'data'])

/** Paths of all documents, from the root. */
export const documents = globSync('**/*.md', {
  cwd: ROOT,
  exclude: (path) => NOT_OURS.has(path),
}).sort()

export const readDocument = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** Blocks of code in one language. */
export function blocksOf(path: string, language: string): string[] {
  const blocks = readDocument(path).matchAll(/^```(\w*)\n(.*?)^```$/gms)
  return [...blocks].flatMap(([, name, code = '']) => (name === language ? [code] : []))
}
