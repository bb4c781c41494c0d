import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { errorCode } from '@mainframe/protocol'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import type { Follower } from '../../indexer/src/sync/follower.ts'
import { notReadyReasons } from '../../indexer/src/sync/status.ts'
import { readCursor, rollbackTo } from '../../indexer/src/sync/store.ts'
import { DATABASES } from './databases.ts'
import { FakeChain, nodeIdOfName, serveChain, word } from './fake-chain.ts'
import { dump, follow, reset, until, untilAtHead } from './harness.ts'

for (const { name, skip, settings } of DATABASES) {
  describe(`ingestion into ${name}`, { skip }, () => {
    let db: Database
    let chain: FakeChain
    let rpc: { url: string; close(): Promise<void> }
    let followers: Follower[] = []

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
      await Promise.all(followers.map((follower) => follower.stop()))
      followers = []
      await rpc.close()
    })

    function start(finalityDepth?: number): Follower {
      const follower = follow(db, rpc.url, finalityDepth)
      followers.push(follower)
      return follower
    }

    it('stops, with the reason, when the chain changed below its final block', async () => {
      for (let i = 0; i < 12; i++) chain.mine()
      const follower = start(3)
      await untilAtHead(db, chain)
      chain.cut(6)
      for (let i = 0; i < 8; i++) chain.mine()
      const error = await follower.failed
      assert.equal(errorCode(error), 'INDEXER_FORKED')
      assert.match(error.message, /changed at or below block/)
    })

    it('refuses to write onto a cursor that another writer has moved', async () => {
      chain.mine()
      start()
      await untilAtHead(db, chain)
      const stale = await db.read(readCursor)
      chain.mine()
      await untilAtHead(db, chain)
      const kept = await dump(db)
      await assert.rejects(rollbackTo(db, stale, 0), { code: 'STORE_LOCKED' })
      assert.deepEqual(await dump(db), kept)
    })

    it('refuses an RPC that serves another chain', async () => {
      chain.chainId = 1
      assert.equal(errorCode(await start().failed), 'CONFIG_INVALID')
    })

    it('does not take a restarted, shorter chain for its own', async () => {
      for (let i = 0; i < 20; i++) chain.mine()
      const first = start(2)
      await untilAtHead(db, chain)
      await first.stop()
      chain.blocks = []
      chain.mine()
      chain.mine()
      assert.equal(errorCode(await start(2).failed), 'INDEXER_FORKED')
    })

    it('waits for a back-end that lags behind, and keeps what it has', async () => {
      chain.mine([{ type: 'register', node: 'a' }])
      chain.mine()
      const follower = start()
      await untilAtHead(db, chain)
      const kept = await dump(db)
      const newest = chain.blocks.splice(2)
      await until(() => notReadyReasons(follower.status).includes('lagging'), 'it says lagging')
      assert.deepEqual(await dump(db), kept)
      chain.blocks.push(...newest)
      await until(() => notReadyReasons(follower.status).length === 0, 'it is ready again')
    })

    for (const [mode, finalityDepth] of [
      ['live', 50],
      ['back-filling', 1],
    ] as const) {
      it(`never commits past an event that the RPC drops while ${mode}`, async () => {
        chain.mine([{ type: 'register', node: 'a' }])
        chain.mine([{ type: 'update', node: 'a', sealKey: 'new' }])
        chain.mine([{ type: 'addStake', node: 'a', stake: 500n }])
        chain.mine()
        chain.tamper = (method, result) =>
          method === 'eth_getLogs'
            ? (result as { blockNumber: string }[]).filter((log) => log.blockNumber !== '0x2')
            : result
        const follower = start(finalityDepth)
        const gapSeen = () => notReadyReasons(follower.status).includes('rpc-inconsistent')
        await until(gapSeen, 'it sees the gap')
        const { cursor } = await dump(db)
        assert.ok(cursor.number < 3, `committed block ${cursor.number} without event 2`)
        chain.tamper = (_method, result) => result
        await untilAtHead(db, chain)
        assert.equal((await dump(db)).cursor.registry.seq, 3n)
      })
    }

    it('refuses logs that are marked as removed, or are of another block', async () => {
      chain.mine([{ type: 'open', channel: 'c', payer: 'p', payee: 'q', deposit: 10n }])
      chain.tamper = (method, result) =>
        method === 'eth_getLogs'
          ? (result as object[]).map((log) => ({ ...log, removed: true }))
          : result
      const follower = start()
      const refused = () => notReadyReasons(follower.status).includes('rpc-inconsistent')
      await until(refused, 'it refuses removed logs')
      chain.tamper = (method, result) =>
        method === 'eth_getLogs'
          ? (result as object[]).map((log) => ({ ...log, blockHash: word('another') }))
          : result
      chain.calls.length = 0
      await until(() => chain.calls.filter((m) => m === 'eth_getLogs').length > 1, 'it asks again')
      assert.equal((await dump(db)).channel.length, 0)
    })

    it('asks again for logs that the block header announces', async () => {
      chain.mine([{ type: 'open', channel: 'c', payer: 'p', payee: 'q', deposit: 10n }])
      let empty = 2
      chain.tamper = (method, result) => (method === 'eth_getLogs' && empty-- > 0 ? [] : result)
      start()
      await untilAtHead(db, chain)
      assert.equal((await dump(db)).channel.length, 1)
    })

    it('asks for less at a time when the RPC refuses a range', async () => {
      for (let i = 0; i < 300; i++) chain.mine()
      chain.tamper = (method, result, params) => {
        const { fromBlock, toBlock } = (params[0] ?? {}) as { fromBlock?: string; toBlock?: string }
        if (method === 'eth_getLogs' && fromBlock && Number(toBlock) - Number(fromBlock) > 99) {
          throw new Error('query returned more than 10000 results')
        }
        return result
      }
      start(2)
      await untilAtHead(db, chain)
    })

    it('moves its cursor over blocks without a log, and does not read them again', async () => {
      for (let i = 0; i < 40; i++) chain.mine()
      const first = start(5)
      await untilAtHead(db, chain)
      await first.stop()
      chain.calls.length = 0
      chain.mine()
      start(5)
      await untilAtHead(db, chain)
      assert.equal(chain.calls.filter((method) => method === 'eth_getLogs').length, 1)
    })

    it('joins back-fill and live blocks without losing or repeating an event', async () => {
      chain.mine([{ type: 'register', node: 'a' }])
      for (let i = 0; i < 30; i++) chain.mine([{ type: 'addStake', node: 'a', stake: BigInt(i) }])
      start(7)
      await untilAtHead(db, chain)
      const { log, cursor } = await dump(db)
      assert.equal(log.length, 31)
      assert.equal(cursor.registry.seq, 31n)
    })

    it('undoes what a reorganisation retracted, also after a restart', async () => {
      chain.mine([{ type: 'register', node: 'a' }])
      chain.mine([{ type: 'prices', node: 'a', rows: [{ service: 's', price: 5n }] }])
      const first = start()
      await untilAtHead(db, chain)
      await first.stop()
      chain.cut(1)
      chain.mine([{ type: 'register', node: 'b' }])
      chain.mine()
      start()
      await untilAtHead(db, chain)
      const { node, price, cursor } = await dump(db)
      assert.deepEqual(
        node.map((row) => (row as { nodeId: string }).nodeId).sort(),
        [nodeIdOfName('a'), nodeIdOfName('b')].sort(),
      )
      assert.equal(price.length, 0)
      assert.deepEqual(cursor.board.seq, 0n)
    })

    it('replaces a head of the same height', async () => {
      chain.mine([{ type: 'register', node: 'a' }])
      start()
      await untilAtHead(db, chain)
      chain.cut(1)
      chain.mine([{ type: 'register', node: 'b' }])
      await untilAtHead(db, chain)
      assert.equal((await dump(db)).node.length, 1)
    })

    it('draws the overlay address from the block after the registration, on either way in', async () => {
      const addressOf = async () => {
        const [node] = (await dump(db)).node as { seedBlockHash: string; overlayAddress: string }[]
        return node
      }
      chain.mine([{ type: 'register', node: 'a' }])
      const live = start(20)
      await untilAtHead(db, chain)
      assert.equal((await addressOf())?.overlayAddress, null)
      const seed = chain.mine()
      chain.mine()
      await untilAtHead(db, chain)
      const placed = await addressOf()
      assert.equal(placed?.seedBlockHash, seed.hash)
      await live.stop()
      await reset(db)
      start(1)
      await untilAtHead(db, chain)
      assert.deepEqual(await addressOf(), placed)
      // the seed's block goes, and with it the address
      await followers.at(-1)?.stop()
      await reset(db)
      start(20)
      await untilAtHead(db, chain)
      chain.cut(2)
      const other = chain.mine()
      chain.mine()
      chain.mine()
      await untilAtHead(db, chain)
      assert.equal((await addressOf())?.seedBlockHash, other.hash)
    })

    it('takes several changes of one key in one block as their last', async () => {
      chain.mine([
        { type: 'register', node: 'a' },
        { type: 'addStake', node: 'a', stake: 7n },
        {
          type: 'prices',
          node: 'a',
          rows: [
            { service: 's', price: 5n },
            { service: 's', price: 6n },
          ],
        },
        { type: 'open', channel: 'c', payer: 'p', payee: 'p', deposit: 10n },
        { type: 'topUp', channel: 'c', deposit: 20n },
        { type: 'deposit', owner: 'p' },
      ])
      start()
      await untilAtHead(db, chain)
      const { node, price, channel, log } = await dump(db)
      assert.equal((node[0] as { stake: bigint }).stake, 7n)
      assert.equal((price[0] as { price: bigint }).price, 6n)
      assert.equal((channel[0] as { deposit: bigint }).deposit, 20n)
      assert.equal(log.length, 6)
    })

    it('marks a registration that its node key did not sign', async () => {
      chain.mine([{ type: 'register', node: 'a', badSignature: true, multiaddrs: '/x\0\u0007' }])
      start()
      await untilAtHead(db, chain)
      assert.equal(((await dump(db)).node[0] as { signed: boolean }).signed, false)
    })
  })
}
