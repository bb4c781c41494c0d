import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import { type OutboxRow, readOutbox } from '../../indexer/src/repositories/outbox.ts'
import type { Follower } from '../../indexer/src/sync/follower.ts'
import { DATABASES } from './databases.ts'
import { type Action, FakeChain, serveChain } from './fake-chain.ts'
import { dump, dying, flaky, follow, reset, untilAtHead } from './harness.ts'

const FINALITY_DEPTH = 4
const RUNS = 8
/** Of up to {@link DEEPEST} blocks, with deaths in between; more by environment. */
const REORGANISATIONS = Number(process.env['INDEXER_REORGS'] ?? 12)
const DEEPEST = 64
const SEED = Number(process.env['INDEXER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Await points of the database between two deaths, at most: about what ten blocks take. */
const MAX_POINTS = 120

/** A block's content by small numbers, turned into actions that are possible where it is mined. */
type Seed = readonly [kind: number, subject: number, amount: number]
type Step =
  | { do: 'mine'; block: readonly Seed[] }
  | { do: 'reorganise'; depth: number; blocks: readonly (readonly Seed[])[] }
  | { do: 'catch up' }
  /** The n-th query of the next few writes fails, as when the process or the server dies. */
  | { do: 'fail'; query: number }
  | { do: 'restart' }

const seedOf = fc.tuple(fc.nat(8), fc.nat(3), fc.nat(1_000))
const blockOf = fc.array(seedOf, { maxLength: 4 })
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('mine' as const), block: blockOf }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('reorganise' as const),
      depth: fc.integer({ min: 1, max: FINALITY_DEPTH }),
      blocks: fc.array(blockOf, { minLength: 5, maxLength: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('catch up' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      query: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

/** What exists on the chain up to its head, by name. */
function namesOn(chain: FakeChain): Set<string> {
  return new Set(chain.blocks.flatMap((block) => content.get(block.hash) ?? []))
}
const content = new Map<string, string[]>()

function mine(chain: FakeChain, seeds: readonly Seed[]): void {
  const names = namesOn(chain)
  const created: string[] = []
  const actions = seeds.flatMap((seed) => {
    const [action, name] = toAction(seed, names)
    if (name !== undefined) {
      names.add(name)
      created.push(name)
    }
    return action ? [action] : []
  })
  content.set(chain.mine(actions).hash, created)
}

/** The action of a seed, and the name it brings into being. */
function toAction([kind, subject, amount]: Seed, names: Set<string>): [Action?, string?] {
  const node = `node ${subject}`
  const channel = `channel ${subject}`
  const value = BigInt(amount + 1)
  if (kind <= 4 && !names.has(node)) return [{ type: 'register', node, stake: value }, node]
  if (kind > 4 && !names.has(channel)) {
    return [{ type: 'open', channel, payer: 'payer', payee: 'payee', deposit: value }, channel]
  }
  const open = { type: 'open', channel, payer: 'payer', payee: 'payee', deposit: value } as const
  const choices: Action[] = [
    { type: 'update', node, sealKey: `key ${amount}` },
    { type: 'addStake', node, stake: value },
    { type: 'unstake', node },
    { type: 'prices', node, rows: [{ service: 'route/1', price: value }] },
    { type: 'prices', node, rows: [{ service: `own ${amount % 3}`, price: value, nextFrom: 9 }] },
    { type: 'topUp', channel, deposit: value },
    { type: 'claim', channel, claimed: value },
    { type: 'close', channel, claimed: value },
    { ...open, epoch: amount + 2 },
  ]
  const action = choices[kind]
  return action ? [action] : []
}

/** Small numbers that follow from a seed (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** What was told and not retracted is the chain, each block once. */
async function assertOutboxStands(db: Database, chain: FakeChain): Promise<void> {
  const rows: OutboxRow[] = await db.read((tx) => readOutbox(tx, 0, 1_000_000))
  const retracted = new Set(rows.map(({ retracts }) => retracts))
  const standing = rows.filter(({ id, kind }) => kind !== 'retraction' && !retracted.has(id))
  const blocks = standing.filter(({ kind }) => kind === 'blocks')
  let next = 1
  for (const { blockNumber, blockHash, body } of blocks) {
    assert.equal((body as { fromBlock: number }).fromBlock, next)
    assert.equal(blockHash, chain.blocks[blockNumber]?.hash)
    next = blockNumber + 1
  }
  assert.equal(next, chain.blocks.length)
  for (const row of standing) assert.equal(row.blockHash, chain.blocks[row.blockNumber]?.hash)
}

for (const { name, skip, settings } of DATABASES) {
  describe(`reorganisations in ${name}`, { skip }, () => {
    let db: Database
    before(async () => {
      db = await openDatabase(await settings())
    })
    after(() => db.close())

    async function replay(steps: readonly Step[]): Promise<void> {
      await reset(db)
      const chain = new FakeChain()
      const rpc = await serveChain(chain)
      const failures: number[] = []
      const unreliable = flaky(db, () => failures.pop())
      let follower = follow(unreliable, rpc.url, FINALITY_DEPTH)
      try {
        for (const step of [...steps, { do: 'catch up' } as const]) {
          if (step.do === 'mine') mine(chain, step.block)
          if (step.do === 'fail') failures.push(step.query, step.query)
          if (step.do === 'catch up') await untilAtHead(db, chain)
          if (step.do === 'reorganise') {
            // what is final for the follower must stay: it has seen this head, or an older one
            await untilAtHead(db, chain)
            chain.cut(Math.min(step.depth, chain.head.number))
            for (const block of step.blocks) mine(chain, block)
          }
          if (step.do === 'restart') {
            await follower.stop()
            follower = follow(unreliable, rpc.url, FINALITY_DEPTH)
          }
        }
        const state = await dump(db)
        await follower.stop()
        await reset(db)
        follower = follow(db, rpc.url, 1)
        await untilAtHead(db, chain)
        assert.deepEqual(state, await dump(db))
      } finally {
        await follower.stop()
        await rpc.close()
      }
    }

    it(`leave that state ${REORGANISATIONS} times, up to ${DEEPEST} blocks deep, dying anywhere`, async (t) => {
      t.diagnostic(`INDEXER_SEED=${SEED}`)
      const random = randomOf(SEED)
      await reset(db)
      const chain = new FakeChain()
      const rpc = await serveChain(chain)
      const refusals: string[] = []
      let [points, deaths, over] = [Number.POSITIVE_INFINITY, 0, false]
      const mortal = dying(db, () => {
        points -= 1
        return points === 0
      })
      let follower: Follower | undefined
      const live = () => {
        follower = follow(mortal, rpc.url, DEEPEST)
        void follower.failed.then(({ message }) => {
          if (message !== 'killed') refusals.push(message)
          deaths += 1
          points = over ? Number.POSITIVE_INFINITY : 1 + random(MAX_POINTS)
          live()
        })
      }
      const seeds = () =>
        Array.from({ length: random(4) }, () => [random(9), random(4), random(1_001)] as const)
      for (let i = 0; i <= DEEPEST; i++) mine(chain, seeds())
      live()
      try {
        for (let i = 0; i < REORGANISATIONS; i++) {
          // what is final for the follower must stay: it has seen this head, or an older one
          await untilAtHead(db, chain)
          assert.deepEqual(refusals, [])
          const depth = i % 8 === 0 ? DEEPEST : 1 + random(random(2) ? DEEPEST : 6)
          chain.cut(depth)
          for (let k = random(3); k <= depth; k++) mine(chain, seeds())
          mine(chain, seeds())
          points = 1 + random(MAX_POINTS)
        }
        over = true
        points = Number.POSITIVE_INFINITY
        await untilAtHead(db, chain)
        const state = await dump(db)
        await assertOutboxStands(db, chain)
        await follower?.stop()
        await reset(db)
        follower = follow(db, rpc.url, 1)
        await untilAtHead(db, chain)
        assert.deepEqual(state, await dump(db))
        assert.ok(deaths > 0, 'nothing died')
        t.diagnostic(`${deaths} deaths`)
      } finally {
        await follower?.stop()
        await rpc.close()
      }
    })

    it('leave the state that a replay of the final chain from nothing gives', async () => {
      const steps = fc.array(stepOf, { minLength: 4, maxLength: 14 })
      await fc.assert(fc.asyncProperty(steps, replay), { numRuns: RUNS, endOnFailure: true })
    })
  })
}
