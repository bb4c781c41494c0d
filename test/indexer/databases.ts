/**
 * The databases that every database test runs on: PGlite in memory, and a PostgreSQL server of the
 * test's own, or the one of TEST_DATABASE_URL, each test in a schema of its own.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import type { DatabaseOptions } from '../../indexer/src/db/open.ts'

/** PostgreSQL refuses to run as root; the server then belongs to "nobody". */
const NOBODY = 65_534
const START_TIMEOUT_MS = 20_000

export interface TestDatabase {
  name: string
  /** Why tests on it are skipped; false when they run. */
  skip: string | false
  /** Where an empty one is. */
  settings(): Promise<DatabaseOptions>
}

const pglite: TestDatabase = {
  name: 'PGlite',
  skip: false,
  settings: async () => ({}),
}

const binaries = findPostgres()
const given = process.env['TEST_DATABASE_URL']
let server: Promise<string> | undefined
let stopServer: () => Promise<void> = async () => undefined
let schemas = 0

// registered here: inside a test it would belong to that test
after(() => stopServer())

const postgres: TestDatabase = {
  name: 'PostgreSQL',
  skip: given || binaries ? false : 'no initdb found and no TEST_DATABASE_URL given',
  settings: async () => ({ databaseUrl: await emptySchema() }),
}

/** The databases of this machine. */
export const DATABASES: readonly TestDatabase[] = [pglite, postgres]

/** The URL of a schema that nothing has used. */
async function emptySchema(): Promise<string> {
  server ??= given ? Promise.resolve(given) : startServer()
  const url = new URL(await server)
  const schema = `test_${process.pid}_${Date.now()}_${++schemas}`
  const client = new pg.Client(url.href)
  await client.connect()
  await client.query(`CREATE SCHEMA ${schema}`)
  await client.end()
  url.searchParams.set('options', `-c search_path=${schema}`)
  return url.href
}

function findPostgres(): string | undefined {
  const base = '/usr/lib/postgresql'
  const versions = existsSync(base) ? readdirSync(base).map((v) => join(base, v, 'bin')) : []
  const folders = [...versions.reverse(), ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}

async function startServer(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mainframe-pg-'))
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if ('uid' in asNobody) chownSync(folder, NOBODY, NOBODY)
  const options = {
    ...asNobody,
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
  }
  const data = join(folder, 'data')
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']
  await promisify(execFile)(join(binaries as string, 'initdb'), init, options)
  const port = await freePort()
  const settings = ['fsync=off', `unix_socket_directories=`, 'listen_addresses=127.0.0.1']
  const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])]
  const child = spawn(join(binaries as string, 'postgres'), args, { ...options, stdio: 'ignore' })
  stopAfterTests(child, folder)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await untilConnected(url)
  return url
}

function stopAfterTests(child: ChildProcess, folder: string): void {
  const exited = new Promise((resolve) => child.once('exit', resolve))
  process.once('exit', () => child.kill('SIGQUIT'))
  stopServer = async () => {
    child.kill('SIGINT')
    await exited
    rmSync(folder, { recursive: true, force: true })
  }
}

async function untilConnected(url: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const client = new pg.Client(url)
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await setTimeout(50)
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
