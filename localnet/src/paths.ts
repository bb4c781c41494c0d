import { fileURLToPath } from 'node:url'

/** Path of a file of this repository. */
export function repositoryFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}
