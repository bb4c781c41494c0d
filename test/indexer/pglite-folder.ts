/**
 * Empty PGlite databases for tests: copies of one that is made once for a schema. Making one takes
 * seconds of work, a copy a fraction.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../../indexer/src/db/open.ts'

const MIGRATIONS = new URL('../../indexer/migrations/', import.meta.url)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/mainframe')

/** Makes `folder`, or a temporary one that goes with this process, the data folder of an empty database. */
export async function emptyPglite(folder?: string): Promise<string> {
  const to = folder ?? mkdtempSync(join(tmpdir(), 'mainframe-pglite-'))
  if (folder === undefined) {
    process.once('exit', () => rmSync(to, { recursive: true, force: true }))
  }
  cpSync(await templateFolder(), to, { recursive: true })
  return to
}

/** The database that the others are copies of; made by whoever needs it first. */
async function templateFolder(): Promise<string> {
  const template = join(CACHE, `pglite-${await schemaHash()}`)
  if (existsSync(template)) return template
  mkdirSync(CACHE, { recursive: true })
  const making = mkdtempSync(join(CACHE, 'making-'))
  const db = await openDatabase({ dataFolder: making })
  await db.close()
  try {
    renameSync(making, template)
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    // another test was faster
    if (!existsSync(template)) throw error
  }
  return template
}

/** Of everything that an empty database follows from. */
async function schemaHash(): Promise<string> {
  const hash = createHash('sha256')
  hash.update(readFileSync(join(ROOT, 'node_modules/@electric-sql/pglite/package.json')))
  for (const name of (await readdir(MIGRATIONS)).sort()) {
    hash.update(name).update(await readFile(new URL(name, MIGRATIONS)))
  }
  return hash.digest('hex').slice(0, 16)
}
