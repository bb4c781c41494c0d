import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { seededRandom } from '../sdk/support/seeded-random.ts'
import { PGLITE } from './databases.ts'
import { word } from './fake-chain.ts'
import { mineRelays, type Rig, startRig } from './rig.ts'

/** More by environment. */
const CASES = Number(process.env['API_FUZZ_CASES'] ?? 20_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
const AT_ONCE = 16

const PATHS = [
  '/v1/nodes',
  '/v1/nodes/closest',
  `/v1/nodes/${word('x')}`,
  '/v1/services',
  '/v1/services/route%2F1/offers',
  '/v1/prices/summary',
  '/v1/network',
  '/v1/log',
  `/v1/channels/${word('x')}`,
  `/v1/accounts/0x${'aB'.repeat(20)}/channels`,
]
const KEYS = ['prefix', 'bits', 'service', 'token', 'maxPrice', 'minStake', 'limit', 'cursor']
const MORE_KEYS = ['to', 'k', 'contract', 'fromSeq', 'topology', 'after', '__proto__', '']
const VALUES = [
  ...['', '0', '1', '-1', '7', '1e9', '999999999999999999999', '9'.repeat(78), 'NaN', 'null'],
  ...['0x', '0x0', `0x${'ff'.repeat(32)}`, `0x${'00'.repeat(20)}`, '0xzz', 'route/1', 'registry'],
  ...['board', 'true', '%00', '\0', "'; DROP TABLE node; --", '\\x00', '\ud800', 'é'.repeat(40)],
]

/** The same request for the same seed. */
function request(random: () => number): { path: string; init: RequestInit } {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  if (random() < 0.3) {
    const body = random() < 0.2 ? pick(VALUES) : JSON.stringify(bodyOf(random, pick))
    const headers = { 'content-type': pick(['application/json', 'text/plain', 'application/json']) }
    return { path: '/v1/discover', init: { method: 'POST', headers, body } }
  }
  const parts = Array.from({ length: Math.floor(random() * 5) }, () => {
    const key = pick([...KEYS, ...MORE_KEYS])
    return `${encodeURIComponent(key)}=${encodeURIComponent(pick(VALUES).toWellFormed())}`
  })
  const path =
    random() < 0.1 ? `/v1/${encodeURIComponent(pick(VALUES).toWellFormed())}` : pick(PATHS)
  return { path: `${path}?${parts.join('&')}`, init: {} }
}

function bodyOf(random: () => number, pick: <T>(list: readonly T[]) => T): unknown {
  const any = () =>
    pick<unknown>([pick(VALUES), Math.floor(random() * 99), null, [], {}, [pick(VALUES)], true, -1])
  const likely = <T>(good: T) => (random() < 0.7 ? good : any())
  return {
    need: likely(['route/1']),
    seed: likely('0x12'),
    k: likely(3),
    ...(random() < 0.3 ? { token: any() } : {}),
    ...(random() < 0.3 ? { maxPrice: any() } : {}),
    ...(random() < 0.1 ? { constructor: any() } : {}),
  }
}

describe('hostile input to the HTTP interface', () => {
  let rig: Rig
  before(async () => {
    rig = await startRig(await PGLITE.settings(), (chain) => mineRelays(chain, 30))
  })
  after(() => rig?.stop())

  it(`is refused or answered, never an error of ours (FUZZ_SEED=${SEED}, ${CASES} requests)`, async () => {
    const random = seededRandom(SEED)
    const statuses = new Map<number, number>()
    const before = process.memoryUsage().rss
    for (let done = 0; done < CASES; done += AT_ONCE) {
      const requests = Array.from({ length: AT_ONCE }, () => request(random))
      await Promise.all(
        requests.map(async ({ path, init }) => {
          const response = await fetch(rig.indexer.url + path, init)
          const text = await response.text()
          const what = `${path} ${JSON.stringify(init)}: ${response.status} ${text}`
          assert.ok(response.status < 500, what)
          if (response.status >= 400) assert.match(text, /"code":"[A-Z_]+"/, what)
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
        }),
      )
    }
    assert.ok((statuses.get(200) ?? 0) > CASES / 50, 'some are answered')
    assert.ok((statuses.get(400) ?? 0) > CASES / 50, 'some are refused')
    const grownMib = (process.memoryUsage().rss - before) / 2 ** 20
    assert.ok(grownMib < 512, `memory grew by ${grownMib} MiB`)
  })

  it('goes to the end of every list, a page of one at a time, and no further', async () => {
    let cursor: string | null = ''
    let pages = 0
    while (cursor !== null) {
      const after: string = cursor && `&cursor=${cursor}`
      const answer = await fetch(`${rig.indexer.url}/v1/nodes?limit=1${after}`)
      assert.equal(answer.status, 200)
      cursor = ((await answer.json()) as { next: string | null }).next
      pages += 1
    }
    assert.equal(pages, 30)
  })

  it('comes slowly, half a request at a time, without holding up anybody', async () => {
    const { hostname, port } = new URL(rig.indexer.url)
    const slow = Array.from({ length: 200 }, () => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      socket.write('POST /v1/discover HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{"need"')
      return socket
    })
    assert.equal((await fetch(`${rig.indexer.url}/v1/network?topology=true`)).status, 200)
    for (const socket of slow) socket.destroy()
  })
})
