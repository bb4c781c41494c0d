import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import { DATABASES } from './databases.ts'
import { type Action, FakeChain, serveChain } from './fake-chain.ts'
import { dump, flaky, follow, reset, untilAtHead } from './harness.ts'

const FINALITY_DEPTH = 4
const RUNS = 8

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

    it('leave the state that a replay of the final chain from nothing gives', async () => {
      const steps = fc.array(stepOf, { minLength: 4, maxLength: 14 })
      await fc.assert(fc.asyncProperty(steps, replay), { numRuns: RUNS, endOnFailure: true })
    })
  })
}
