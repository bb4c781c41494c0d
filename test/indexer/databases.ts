/**
 * The databases that every database test runs on: PGlite in a folder of the test's own, and a PostgreSQL
 * server of its own, or the one of TEST_DATABASE_URL, each test in a schema of its own.
 */
import { after } from 'node:test'
import pg from 'pg'
import type { DatabaseOptions } from '../../indexer/src/db/open.ts'
import { emptyPglite } from './pglite-folder.ts'
import { findPostgres, type PostgresServer, startPostgres } from './postgres-server.ts'

export interface TestDatabase {
  name: string
  /** Why tests on it are skipped; false when they run. */
  skip: string | false
  /** Where an empty one is. */
  settings(): Promise<DatabaseOptions>
}

/** The one that is everywhere. */
export const PGLITE: TestDatabase = {
  name: 'PGlite',
  skip: false,
  settings: async () => ({ dataFolder: await emptyPglite() }),
}

const binaries = findPostgres()
/** Where it is known to be installed, its tests fail rather than being left out. */
const isRequired = process.env['TEST_POSTGRES'] === 'required'
const given = process.env['TEST_DATABASE_URL']
let server: Promise<PostgresServer> | undefined
let schemas = 0

// registered here: inside a test it would belong to that test
after(async () => (await server)?.stop())

const postgres: TestDatabase = {
  name: 'PostgreSQL',
  skip: given || binaries || isRequired ? false : 'no initdb found and no TEST_DATABASE_URL given',
  settings: async () => ({ databaseUrl: await emptySchema() }),
}

/** The databases of this machine. */
export const DATABASES: readonly TestDatabase[] = [PGLITE, postgres]

/** The URL of a schema that nothing has used. */
async function emptySchema(): Promise<string> {
  if (!given) server ??= startPostgres(binaries as string, ['fsync=off'])
  const url = new URL(given ?? ((await server) as PostgresServer).url)
  const schema = `test_${process.pid}_${Date.now()}_${++schemas}`
  const client = new pg.Client(url.href)
  await client.connect()
  await client.query(`CREATE SCHEMA ${schema}`)
  await client.end()
  url.searchParams.set('options', `-c search_path=${schema}`)
  return url.href
}
