import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { createChainReader } from '../../indexer/src/chain/chain-reader.ts'
import { createRpcPool } from '../../indexer/src/chain/rpc-pool.ts'
import type { Database, Queryable } from '../../indexer/src/db/database.ts'
import {
  CHANNEL_TABLE,
  columnsOf,
  LOG_TABLE,
  NODE_TABLE,
  PRICE_TABLE,
} from '../../indexer/src/db/tables.ts'
import { Follower } from '../../indexer/src/sync/follower.ts'
import { readCursor } from '../../indexer/src/sync/store.ts'
import { DEPLOYMENT, type FakeChain } from './fake-chain.ts'

/** Longest wait for something that takes milliseconds on an idle machine. */
const PATIENCE_MS = 300_000

/** Polls until `check` holds. */
export async function until(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await check())) {
    assert.ok(Date.now() < deadline, `waited in vain until ${what}`)
    await setTimeout(5)
  }
}

/** A follower of the chain at `url`; the caller stops it. */
export function follow(db: Database, url: string | string[], finalityDepth = 6): Follower {
  const abort = new AbortController()
  const log = pino({ level: 'silent' })
  const rpc = createRpcPool({
    urls: [url].flat(),
    chainId: DEPLOYMENT.chainId,
    requestsPerSecond: 10_000,
    signal: abort.signal,
    log,
  })
  const chain = createChainReader(rpc, DEPLOYMENT)
  const follower = new Follower(
    { finalityDepth, pollIntervalMs: 20 },
    { db, chain, deployment: DEPLOYMENT, log, abort },
  )
  follower.start()
  return follower
}

/**
 * A database on which a process dies: at a query, or after a commit of which it never learns. `due` is
 * asked at each of these points.
 */
export function dying(db: Database, due: () => boolean): Database {
  const point = () => {
    if (due()) throw Object.assign(new Error('killed'), { code: 'INTERNAL' })
  }
  const wrap = (tx: Queryable): Queryable => ({
    async query(sql, params) {
      point()
      return tx.query(sql, params)
    },
  })
  return {
    ...wrap(db),
    read: (work) => db.read((tx) => work(wrap(tx))),
    async write(work) {
      const result = await db.write((tx) => work(wrap(tx)))
      point()
      return result
    },
    close: () => db.close(),
  }
}

/** Waits until the database stands at the chain's head, and it is that very block. */
export function untilAtHead(db: Database, chain: FakeChain): Promise<void> {
  return until(async () => {
    const cursor = await db.read(readCursor).catch(() => undefined)
    return cursor?.hash === chain.head.hash
  }, 'the indexer has the head of the chain')
}

/** Everything that the chain determines, in a comparable form. */
export async function dump(db: Database) {
  return db.read(async (tx) => {
    const { number, hash, registry, board } = await readCursor(tx)
    return {
      cursor: { number, hash, registry, board },
      node: await tx.query(`SELECT ${columnsOf(NODE_TABLE)} FROM node ORDER BY node_id`, []),
      price: await tx.query(
        `SELECT ${columnsOf(PRICE_TABLE)} FROM price ORDER BY node_id, service, token`,
        [],
      ),
      channel: await tx.query(
        `SELECT ${columnsOf(CHANNEL_TABLE)} FROM channel ORDER BY channel_id`,
        [],
      ),
      log: await tx.query(
        `SELECT ${columnsOf(LOG_TABLE)} FROM event_log ORDER BY block_number, log_index`,
        [],
      ),
    }
  })
}

/** Empties every table of the directory. */
export function reset(db: Database): Promise<object[]> {
  return db.write((tx) =>
    tx.query(
      'TRUNCATE chain_state, chain_block, event_log, node, price, channel, undo, outbox, block_seed',
    ),
  )
}

/** A database whose writes fail at their n-th query as long as `failAt` says so. */
export function flaky(db: Database, failAt: () => number | undefined): Database {
  return {
    query: (sql, params) => db.query(sql, params),
    read: (work) => db.read(work),
    write: (work) =>
      db.write((tx) => {
        let queries = 0
        const limit = failAt()
        const wrapped: Queryable = {
          query(sql, params) {
            queries += 1
            if (queries === limit) {
              const error = Object.assign(new Error('pulled'), { code: 'STORE_UNREACHABLE' })
              return Promise.reject(error)
            }
            return tx.query(sql, params)
          },
        }
        return work(wrapped)
      }),
    close: () => db.close(),
  }
}
