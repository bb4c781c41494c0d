import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import { rederive } from '../../indexer/src/sync/rederive.ts'
import { DATABASES } from './databases.ts'
import { DEPLOYMENT, FakeChain, serveChain } from './fake-chain.ts'
import { dump, follow, reset, untilAtHead } from './harness.ts'

function readIndexes(db: Database): Promise<object[]> {
  return db.query(
    `SELECT indexdef AS definition FROM pg_indexes WHERE schemaname = current_schema()
     ORDER BY indexname`,
    [],
  )
}

for (const { name, skip, settings } of DATABASES) {
  describe(`deriving anew in ${name}`, { skip }, () => {
    let db: Database
    before(async () => {
      db = await openDatabase(await settings())
    })
    after(() => db.close())

    it('names a stored log that does not decode, and changes nothing', async () => {
      await reset(db)
      const chain = new FakeChain()
      chain.mine([{ type: 'register', node: 'a' }])
      const rpc = await serveChain(chain)
      const follower = follow(db, rpc.url)
      await untilAtHead(db, chain)
      await follower.stop()
      await rpc.close()
      await db.write((tx) => tx.query(`UPDATE event_log SET data = '\\x00'`))
      const before = await dump(db)
      await assert.rejects(rederive(db, DEPLOYMENT), {
        code: 'STORE_CORRUPT',
        message: 'The stored log 0 of block 1 does not decode',
      })
      assert.deepEqual(await dump(db), before)
    })

    it('gives the same rows, however little is read at once and however much is held', async () => {
      await reset(db)
      const chain = new FakeChain()
      const names = ['a', 'b', 'c', 'd', 'e']
      for (const name of names) {
        chain.mine([
          { type: 'register', node: name },
          { type: 'open', channel: name, payer: 'p', payee: name, deposit: 100n },
        ])
      }
      for (let i = 1; i <= 40; i++) {
        const name = names[(i * i) % names.length] as string
        const other = names[i % names.length] as string
        chain.mine([
          { type: 'addStake', node: name, stake: BigInt(i) },
          { type: 'prices', node: other, rows: [{ service: `s${i % 3}`, price: BigInt(i) }] },
          { type: 'topUp', channel: other, deposit: 100n + BigInt(i) },
          { type: 'claim', channel: name, claimed: BigInt(i) },
          ...(i % 10 === 0 ? [{ type: 'register', node: `n${i}` } as const] : []),
        ])
      }
      const rpc = await serveChain(chain)
      const follower = follow(db, rpc.url, 1)
      await untilAtHead(db, chain)
      await follower.stop()
      await rpc.close()
      const kept = await dump(db)
      assert.equal(kept.node.length, names.length + 4)
      for (const logsAtOnce of [1, 3, 7, 1_000]) {
        for (const heldRows of [0, 1, 3, 1_000]) {
          await rederive(db, DEPLOYMENT, { logsAtOnce, heldRows })
          assert.deepEqual(await dump(db), kept, `${logsAtOnce} logs, ${heldRows} rows`)
        }
      }
    })

    it('gives the same rows without the chain, and what is not final can still be undone', async () => {
      await reset(db)
      const chain = new FakeChain()
      for (let i = 0; i < 6; i++) {
        chain.mine([
          { type: 'register', node: `n${i}` },
          { type: 'prices', node: `n${i}`, rows: [{ service: 's', price: BigInt(i + 1) }] },
          { type: 'open', channel: `c${i}`, payer: 'p', payee: 'q', deposit: 1n },
        ])
        chain.mine([{ type: 'topUp', channel: `c${i}`, deposit: 5n }])
      }
      const rpc = await serveChain(chain)
      const first = follow(db, rpc.url, 5)
      await untilAtHead(db, chain)
      await first.stop()
      const kept = await dump(db)
      const indexes = await readIndexes(db)
      assert.ok(indexes.length > 10, `only ${indexes.length} indexes`)
      await db.write((tx) =>
        tx.query('UPDATE chain_state SET derivation = 0; UPDATE node SET stake = 0'),
      )
      chain.calls.length = 0
      const second = follow(db, rpc.url, 5)
      chain.mine()
      await untilAtHead(db, chain)
      assert.equal(chain.calls.filter((method) => method === 'eth_getLogs').length, 1)
      chain.cut(1)
      chain.cut(3)
      for (let i = 0; i < 5; i++) chain.mine()
      await untilAtHead(db, chain)
      await second.stop()
      const undone = await dump(db)
      assert.deepEqual(await readIndexes(db), indexes)
      assert.equal(kept.node.length, undone.node.length + 1)

      await reset(db)
      const third = follow(db, rpc.url, 5)
      await untilAtHead(db, chain)
      await third.stop()
      await rpc.close()
      assert.deepEqual(undone, await dump(db))
    })
  })
}
