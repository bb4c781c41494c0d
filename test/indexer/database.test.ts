import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { currentPrice, type Hex, type PriceRow } from '@mainframe/protocol'
import fc from 'fast-check'
import pg from 'pg'
import { bytesArray } from '../../indexer/src/db/bytes-array.ts'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import {
  bytesIn,
  bytesList,
  columnsOf,
  currentPriceAt,
  PRICE_TABLE,
  upsertRows,
} from '../../indexer/src/db/tables.ts'
import { DATABASES } from './databases.ts'
import { FakeChain, serveChain, word } from './fake-chain.ts'
import { dump, follow, untilAtHead } from './harness.ts'
import { emptyPglite } from './pglite-folder.ts'

const bytesOf = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes): Hex => `0x${Buffer.from(bytes).toString('hex')}`)
const uint96 = fc.bigInt({ min: 0n, max: 2n ** 96n - 1n })
const time = fc.integer({ min: 0, max: 2 ** 40 - 1 })
const priceOf: fc.Arbitrary<PriceRow> = fc.record({
  nodeId: bytesOf(32),
  service: bytesOf(32),
  token: bytesOf(20),
  price: fc.oneof(fc.constant(0n), uint96),
  next: fc.oneof(fc.constant(0n), uint96),
  nextFrom: time,
  unit: fc.integer({ min: 0, max: 255 }),
  active: fc.boolean(),
  updatedBlock: fc.nat(),
})

for (const { name, skip, settings } of DATABASES) {
  describe(`the database ${name}`, { skip }, () => {
    let db: Database
    before(async () => {
      db = await openDatabase(await settings())
    })
    after(() => db.close())

    it('takes a failed transaction back, and goes on', async () => {
      const failing = db.write(async (tx) => {
        await tx.query('CREATE TABLE half (done boolean)')
        await tx.query('SELECT 1/0')
      })
      await assert.rejects(failing, { code: 'INTERNAL' })
      const [row] = await db.read((tx) =>
        tx.query<{ there: boolean }>(`SELECT to_regclass('half') IS NOT NULL AS there`, []),
      )
      assert.deepEqual(row, { there: false })
    })

    it('gives back every row as it was written, and the price that the protocol computes', async () => {
      const rows = fc.uniqueArray(priceOf, {
        minLength: 1,
        maxLength: 20,
        selector: (r) => r.nodeId,
      })
      await fc.assert(
        fc.asyncProperty(rows, time, async (written, now) => {
          await db.write((tx) => upsertRows(tx, PRICE_TABLE, written))
          const read = await db.read((tx) =>
            tx.query<PriceRow & { current: bigint | null }>(
              `SELECT ${columnsOf(PRICE_TABLE)}, ${currentPriceAt('$2')} AS current
               FROM price WHERE node_id IN ${bytesIn(1)} ORDER BY node_id`,
              [bytesList(written.map((row) => row.nodeId)), now],
            ),
          )
          const expected = written
            .map((row) => ({ ...row, current: currentPrice(row, now) ?? null }))
            .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
          assert.deepEqual(read, expected)
        }),
        { numRuns: 20 },
      )
    })

    it('takes byte strings as one parameter, empty ones, missing ones and none at all', async () => {
      const lists: (Hex | null)[][] = [
        [],
        [null],
        ['0x'],
        ['0x00ff', null, '0x', `0x${'ab'.repeat(3_000)}`],
      ]
      for (const list of lists) {
        const rows = await db.query<{ value: Hex | null }>(
          'SELECT value FROM unnest($1::bytea[]) WITH ORDINALITY AS t (value, place) ORDER BY place',
          [bytesArray(list)],
        )
        assert.deepEqual(
          rows.map(({ value }) => value),
          list,
        )
      }
    })

    it('refuses data of a newer indexer', async () => {
      const other = await settings()
      const newer = await openDatabase(other)
      await newer.write((tx) => tx.query(`INSERT INTO schema_version VALUES (999, 'later')`))
      await newer.close()
      await assert.rejects(openDatabase(other), { code: 'STORE_CORRUPT' })
    })
  })
}

describe('PostgreSQL', { skip: DATABASES[1]?.skip ?? true }, () => {
  it('is written by one indexer only', async () => {
    const options = (await DATABASES[1]?.settings()) ?? {}
    const first = await openDatabase(options)
    await assert.rejects(openDatabase(options), { code: 'STORE_LOCKED' })
    await first.close()
    await (await openDatabase(options)).close()
  })

  it('may cut every connection: following goes on, and nothing is lost or doubled', async () => {
    const options = (await DATABASES[1]?.settings()) ?? {}
    const db = await openDatabase(options)
    const chain = new FakeChain()
    const rpc = await serveChain(chain)
    const follower = follow(db, rpc.url)
    const admin = new pg.Client(options.databaseUrl)
    await admin.connect()
    chain.mine([{ type: 'register', node: 'a' }])
    for (let i = 0; i < 10; i++) {
      chain.mine([{ type: 'addStake', node: 'a', stake: BigInt(i) }])
      await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND datname = current_database()`,
      )
      await untilAtHead(db, chain)
    }
    assert.equal((await dump(db)).log.length, 11)
    await follower.stop()
    await admin.end()
    await db.close()
    await rpc.close()
  })

  it('that takes a connection and ends it in the same breath is an error, not a crash', async () => {
    const message = (type: string, ...bytes: number[]) =>
      Buffer.concat([
        Buffer.from(type),
        Buffer.from([0, 0, 0, bytes.length + 4]),
        Buffer.from(bytes),
      ])
    const fatal = Buffer.from('SFATAL\0C57P01\0Mshutting down\0\0')
    const welcome = [message('R', 0, 0, 0, 0), message('Z', 73), message('E', ...fatal)]
    const server = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.end(Buffer.concat(welcome)))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const databaseUrl = `postgres://someone@127.0.0.1:${port}/nowhere`
    for (const readOnly of [true, false]) {
      await assert.rejects(openDatabase({ databaseUrl, readOnly }), { code: 'STORE_UNREACHABLE' })
    }
    server.close()
  })

  it('is asked for nothing that takes long: the statement ends as a passing error', async () => {
    const db = await openDatabase((await DATABASES[1]?.settings()) ?? {})
    const slow = db.read((tx) => tx.query('SET LOCAL statement_timeout = 20; SELECT pg_sleep(60)'))
    await assert.rejects(slow, { code: 'STORE_UNREACHABLE', retryable: true })
    const [row] = await db.read((tx) =>
      tx.query<{ timeout: string }>(`SELECT current_setting('statement_timeout') AS timeout`, []),
    )
    assert.deepEqual(row, { timeout: '20s' })
    await db.close()
  })

  it('that is not there is an error, not a crash', async () => {
    const databaseUrl = 'postgres://someone:secret@127.0.0.1:1/nowhere'
    await assert.rejects(openDatabase({ databaseUrl }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'STORE_UNREACHABLE')
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
  })
})

describe('PGlite in a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mainframe-pglite-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('is opened once at a time, and keeps its data', async () => {
    await emptyPglite(folder)
    const first = await openDatabase({ dataFolder: folder })
    await assert.rejects(openDatabase({ dataFolder: folder }), { code: 'STORE_LOCKED' })
    const key = `\\x${word('kept').slice(2)}`
    await first.write((tx) =>
      tx.query(`INSERT INTO price VALUES ($1::bytea, $1::bytea, $1::bytea, 1, 1, 0, 0, true, 1)`, [
        key,
      ]),
    )
    await first.close()
    const second = await openDatabase({ dataFolder: folder })
    const rows = await second.read((tx) => tx.query('SELECT node_id AS id FROM price', []))
    assert.deepEqual(rows, [{ id: word('kept') }])
    await second.close()
  })
})
