import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import {
  type OutboxRow,
  readOutbox,
  readOutboxBounds,
} from '../../indexer/src/repositories/outbox.ts'
import type { Follower } from '../../indexer/src/sync/follower.ts'
import { DATABASES } from './databases.ts'
import { FakeChain, nodeIdOfName, serveChain } from './fake-chain.ts'
import { follow, reset, untilAtHead } from './harness.ts'

for (const { name, skip, settings } of DATABASES) {
  describe(`the outbox in ${name}`, { skip }, () => {
    let db: Database
    let chain: FakeChain
    let rpc: { url: string; close(): Promise<void> }
    let follower: Follower | undefined

    before(async () => {
      db = await openDatabase(await settings())
    })
    after(() => db.close())
    beforeEach(async () => {
      await reset(db)
      chain = new FakeChain()
      rpc = await serveChain(chain)
    })
    afterEach(async () => {
      await follower?.stop()
      await rpc.close()
    })

    const rows = (afterId = 0, limit = 100) => db.read((tx) => readOutbox(tx, afterId, limit))
    const brief = ({ kind, blockNumber, body }: OutboxRow) => [
      kind,
      blockNumber,
      'type' in body ? body.type : null,
    ]

    it('tells each event of a block that may still change, then the block', async () => {
      chain.mine([{ type: 'register', node: 'a', stake: 7n }])
      follower = follow(db, rpc.url)
      await untilAtHead(db, chain)
      const [event, block] = await rows()
      assert.deepEqual(event && brief(event), ['event', 1, 'Registered'])
      assert.partialDeepStrictEqual(event?.body, { nodeId: nodeIdOfName('a'), stake: '7' })
      assert.deepEqual(block?.body, {
        fromBlock: 1,
        toBlock: 1,
        time: chain.head.time,
        events: 1,
        finalized: 0,
      })
      assert.deepEqual((await rows(event?.id)).map(brief), [['blocks', 1, null]])
      assert.equal((await rows(0, 1)).length, 1)
      assert.deepEqual(await db.read(readOutboxBounds), { oldest: event?.id, newest: block?.id })
    })

    it('tells what is final as blocks alone', async () => {
      chain.mine([{ type: 'register', node: 'a' }])
      for (let i = 0; i < 8; i++) chain.mine()
      follower = follow(db, rpc.url, 3)
      await untilAtHead(db, chain)
      const told = await rows()
      assert.deepEqual(
        told.map(({ kind }) => kind),
        Array(told.length).fill('blocks'),
      )
      const events = told.map(({ body }) => (body as { events: number }).events)
      assert.equal(
        events.reduce((sum, count) => sum + count, 0),
        1,
      )
    })

    it('retracts what a reorganisation took, the newest first, and each thing once', async () => {
      chain.mine()
      chain.mine([{ type: 'register', node: 'a' }])
      follower = follow(db, rpc.url)
      await untilAtHead(db, chain)
      for (const node of ['b', 'c']) {
        chain.cut(1)
        chain.mine([{ type: 'register', node }])
        await untilAtHead(db, chain)
      }
      const told = await rows()
      assert.deepEqual(told.map(brief), [
        ['blocks', 1, null],
        ...[1, 2].flatMap(() => [
          ['event', 2, 'Registered'],
          ['blocks', 2, null],
          ['retraction', 2, null],
          ['retraction', 2, 'Registered'],
        ]),
        ['event', 2, 'Registered'],
        ['blocks', 2, null],
      ])
      for (const row of told) {
        if (row.kind !== 'retraction') continue
        const taken = told.find(({ id }) => id === row.retracts)
        assert.deepEqual([row.blockHash, row.body], [taken?.blockHash, taken?.body])
      }
    })
  })
}
