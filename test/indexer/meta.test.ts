/** That an answer of one statement is of one block, whatever is written meanwhile. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Hex } from '@mainframe/protocol'
import { openDatabase } from '../../indexer/src/db/open.ts'
import { findChannel, listChannels } from '../../indexer/src/repositories/channels.ts'
import { readOfBlock } from '../../indexer/src/repositories/meta.ts'
import { listNodes } from '../../indexer/src/repositories/nodes.ts'
import { DATABASES } from './databases.ts'

const BLOCKS = 60
const NOWHERE: Hex = `0x${'00'.repeat(32)}`
const PAGE = {
  prefix: NOWHERE,
  bits: 0,
  offering: undefined,
  minStake: undefined,
  after: undefined,
}

for (const { name, skip, settings } of DATABASES) {
  describe(`an answer of one statement on ${name}`, { skip }, async () => {
    if (skip) return
    const db = await openDatabase(await settings())
    after(() => db.close())
    const toBlock = (number: number) => `
      DELETE FROM chain_block WHERE number > ${number};
      INSERT INTO chain_block VALUES (${number}, '\\x01', ${number}, 1, '\\x02', 1, '\\x03')
      ON CONFLICT DO NOTHING;
      DELETE FROM block_seed;
      INSERT INTO block_seed SELECT i, '\\x00' FROM generate_series(1, ${number}) AS i`

    it('is refused before there is a block', async () => {
      await assert.rejects(listNodes(db, { ...PAGE, limit: 1 }), { code: 'INDEXER_NOT_READY' })
      await assert.rejects(findChannel(db, NOWHERE), { code: 'INDEXER_NOT_READY' })
    })

    it('names its block when there is nothing in it', async () => {
      await db.write(async (tx) => {
        await tx.query(`INSERT INTO chain_state VALUES (true, 5, '{}', 0, '\\x00', 0, 1)`)
        await tx.query(toBlock(7))
      })
      const log = { seq: 1, head: '0x02' }
      const { meta, ...page } = await listNodes(db, { ...PAGE, limit: 1 })
      assert.deepEqual(page, { nodes: [], next: null })
      assert.deepEqual(meta, {
        chainId: 5,
        finalized: 0,
        block: { number: 7, hash: '0x01', time: 7 },
        now: meta.now,
        registry: log,
        board: { ...log, head: '0x03' },
      })
      assert.ok(Math.abs(meta.now - Date.now() / 1_000) < 60, `now is ${meta.now}`)
      const channels = await listChannels(db, { account: NOWHERE, limit: 1, after: undefined })
      assert.deepEqual([channels.meta.block.number, channels.channels], [7, []])
    })

    it('has the rows of the block that it names, while blocks come and go', async () => {
      let isWriting = true
      const write = async () => {
        for (let i = 1; i <= BLOCKS; i++) await db.write((tx) => tx.query(toBlock(1 + (i % 9))))
        isWriting = false
      }
      const writing = write()
      const seen = new Set<number>()
      while (isWriting) {
        const { meta, rows } = await readOfBlock(db, 'SELECT number FROM block_seed', [])
        assert.equal(rows.length, meta.block.number)
        seen.add(meta.block.number)
        await setImmediate()
      }
      await writing
      assert.ok(seen.size > 1, 'only one block was ever seen')
    })
  })
}
