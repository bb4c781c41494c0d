/** Requests at a steady rate, whether the earlier ones were answered or not. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Hex, SERVICE_NAMES, toHex } from '@mainframe/protocol'
import type { Database } from '../../indexer/src/db/database.ts'
import { quantile, rounded } from '../world/statistics.ts'

const SECONDS = 10
/**
 * Requests before those that count, eight at a time. A connection that is new to the server touches
 * each page of memory for the first time, which is several times dearer for thousands of requests.
 */
const WARM_UP_REQUESTS = 10_000
const WARM_UP_MS = 60_000
const AT_A_TIME = 8

/** 99th percentile in milliseconds of what these requests take at `perSecond`; infinite when too many are refused. */
export async function p99OfRequests(
  perSecond: number,
  request: () => Promise<boolean>,
): Promise<number> {
  await warmUp(request)
  const times: number[] = []
  const pending: Promise<void>[] = []
  const start = performance.now()
  const count = perSecond * SECONDS
  for (let i = 0; i < count; i++) {
    // a request's time counts from when it was due, so that a stall falls on all that it holds up
    const due = start + (i * 1_000) / perSecond
    const waitMs = due - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    pending.push(
      request().then((isAnswered) => {
        // a refusal is no answer: with one in a hundred of them there is no 99th percentile
        const ms = isAnswered ? performance.now() - due : Number.POSITIVE_INFINITY
        times.push(ms)
      }),
    )
  }
  await Promise.all(pending)
  return rounded(quantile(times, 0.99), 1)
}

async function warmUp(request: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WARM_UP_MS
  let left = WARM_UP_REQUESTS
  const run = async () => {
    while (left-- > 0 && performance.now() < endMs) await request()
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, run))
}

/** `fetch` would cost as much as the answer that it fetches, on the same two cores. */
const agent = new Agent({ keepAlive: true })

/** Whether it was answered with 200; false as well when no connection came about, or it broke. */
async function ask(url: string, body?: object): Promise<boolean> {
  try {
    const headers = { 'content-type': 'application/json' }
    const request = httpRequest(url, { agent, ...(body && { method: 'POST', headers }) })
    request.end(body && JSON.stringify(body))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'end')
    return response.statusCode === 200
  } catch {
    return false
  }
}

/** The requests that are measured, of an indexer at `url`. Some 15 of 500,000 nodes share a prefix. */
export function requestsOf(url: string) {
  const random = (): Hex => toHex(randomBytes(32))
  return {
    prefix: () => ask(`${url}/v1/nodes?prefix=${random()}&bits=15&limit=50`),
    closest: () => ask(`${url}/v1/nodes/closest?to=${random()}&k=20`),
    discover: () => {
      const need = [SERVICE_NAMES.route, SERVICE_NAMES.hold]
      return ask(`${url}/v1/discover`, { need, seed: random(), k: 8 })
    },
  }
}

/** Adds nodes until there are `count`: copies of real ones under random ids, with their prices. */
export async function addNodes(db: Database, count: number): Promise<void> {
  const random = `sha256(convert_to(random()::text || i::text, 'UTF8'))`
  await db.write(async (tx) => {
    const [row] = await tx.query<{ present: number }>('SELECT count(*) AS present FROM node', [])
    const missing = Math.max(0, count - (row?.present ?? 0))
    await tx.query(
      `CREATE TEMP TABLE fresh AS SELECT i, ${random} AS id, ${random} AS place
       FROM generate_series(1, ${missing}) AS i`,
    )
    await tx.query(
      `INSERT INTO node SELECT f.id, substr(f.id, 1, 20), f.id, substr(f.id, 1, 20),
         substr(f.place, 1, 20), f.id, n.multiaddrs, n.metadata, n.signature, n.stake, true, 0,
         n.registered_block, n.updated_block, true, n.seed_block_hash, f.place
       FROM fresh f, (SELECT * FROM node LIMIT 1) n`,
    )
    await tx.query(
      `INSERT INTO price SELECT f.id, s.service, s.token, 1 + f.i % 1000, 1 + f.i % 1000, 0, 1, true, 1
       FROM fresh f, (SELECT DISTINCT service, token FROM price) s`,
    )
    await tx.query('DROP TABLE fresh; ANALYZE')
  })
}
