/** RPCs that misbehave: following converges or says why not, and never commits a gap. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { errorCode, type Hex, type RawLog } from '@mainframe/protocol'
import type { Database } from '../../indexer/src/db/database.ts'
import { openDatabase } from '../../indexer/src/db/open.ts'
import type { Follower } from '../../indexer/src/sync/follower.ts'
import { notReadyReasons } from '../../indexer/src/sync/status.ts'
import { whenLong } from '../helpers/long.ts'
import { DATABASES } from './databases.ts'
import { FakeChain, serveChain, type Tamper } from './fake-chain.ts'
import { dump, follow, reset, until, untilAtHead } from './harness.ts'

const SEED = Number(process.env['INDEXER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Blocks of the chain that the faults are tried on; most hold events. */
const BLOCKS = 120
const FINALITY_DEPTH = 20

type LogsFilter = { fromBlock?: Hex; toBlock?: Hex; blockHash?: Hex }

const isLogs = (method: string) => method === 'eth_getLogs'
const isBlock = (method: string) => method === 'eth_getBlockByNumber'
const tooMany = () => Object.assign(new Error('slow down'), { status: 429 })
const rangeOf = (params: readonly unknown[]) => {
  const { fromBlock, toBlock } = params[0] as LogsFilter
  return fromBlock && toBlock ? { from: Number(fromBlock), to: Number(toBlock) } : undefined
}

/** Numbers below 1 that follow from a seed. */
function randomOf(seed: number): () => number {
  let state = seed || 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** A chain whose blocks hold events of every kind, with gaps. */
function fill(chain: FakeChain, blocks: number): void {
  for (let i = 0; i < blocks; i++) {
    const name = `${chain.blocks.length} ${i}`
    if (i % 4 === 3) chain.mine()
    else {
      chain.mine([
        { type: 'register', node: name },
        { type: 'prices', node: name, rows: [{ service: 's', price: 1n }] },
        { type: 'open', channel: name, payer: 'p', payee: 'q', deposit: 9n },
        { type: 'claim', channel: name, claimed: 3n },
      ])
    }
  }
}

for (const { name, skip, settings } of DATABASES) {
  // what goes wrong is the same with both: one is tried always, the other one when there is time
  const isOnce = name === 'PGlite' && DATABASES.some((other) => other.name !== name && !other.skip)
  describe(`an RPC's faults, with ${name}`, isOnce ? whenLong : { skip }, () => {
    let db: Database
    let chain: FakeChain
    let open: { url: string; close(): Promise<void> }[] = []
    let follower: Follower | undefined

    before(async () => {
      db = await openDatabase(await settings())
    })
    after(() => db.close())
    beforeEach(async () => {
      await reset(db)
      chain = new FakeChain()
    })
    afterEach(async () => {
      await follower?.stop()
      await Promise.all(open.map((rpc) => rpc.close()))
      open = []
    })

    async function serve(served = chain): Promise<string> {
      const rpc = await serveChain(served)
      open.push(rpc)
      return rpc.url
    }
    const isNotReady = (reason: string) => () =>
      follower !== undefined && notReadyReasons(follower.status).some((one) => one === reason)
    /** Every event of the chain, and nothing else, in its order. */
    async function assertComplete(): Promise<void> {
      const { log, cursor } = await dump(db)
      const hashes = (log as { blockHash: string; logIndex: number }[]).map(
        ({ blockHash, logIndex }) => `${blockHash} ${logIndex}`,
      )
      const expected = chain.blocks.flatMap(({ logs }) => logs)
      assert.deepEqual(
        hashes,
        expected.map(({ blockHash, logIndex }) => `${blockHash} ${Number(logIndex)}`),
      )
      assert.equal(cursor.hash, chain.head.hash)
    }

    it('429: it asks less often, and gets there', async () => {
      fill(chain, BLOCKS)
      let asked = 0
      chain.tamper = (_method, result) => {
        asked += 1
        if (asked % 3 === 0) throw tooMany()
        return result
      }
      const url = await serve()
      follower = follow(db, url, FINALITY_DEPTH)
      await until(isNotReady('rpc-down'), 'it says that the RPC refuses')
      chain.tamper = (_method, result) => result
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('null blocks and lagging back-ends behind one URL', async () => {
      fill(chain, BLOCKS)
      const random = randomOf(SEED)
      chain.tamper = (method, result, params) => {
        const old = chain.blocks.length - 1 - Math.floor(random() * 40)
        if (isBlock(method) && random() < 0.2) {
          return params[0] === 'latest' ? chain.answer(method, [`0x${old.toString(16)}`]) : null
        }
        return isLogs(method) && random() < 0.2
          ? (result as RawLog[]).filter(({ blockNumber }) => Number(blockNumber) <= old)
          : result
      }
      follower = follow(db, await serve(), FINALITY_DEPTH)
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('blocks of another number, or in no form', async () => {
      fill(chain, 30)
      let wrong = 0
      chain.tamper = (method, result, params) => {
        if (!isBlock(method) || params[0] === 'latest' || wrong > 6) return result
        wrong += 1
        return wrong % 2 === 0
          ? chain.answer(method, ['0x1'])
          : { ...(result as object), hash: '0x' }
      }
      follower = follow(db, await serve(), 5)
      await until(isNotReady('rpc-inconsistent'), 'it names the fault')
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('a cap of 50 blocks a range', async () => {
      fill(chain, BLOCKS)
      chain.tamper = (method, result, params) => {
        const range = isLogs(method) ? rangeOf(params) : undefined
        if (range && range.to - range.from >= 50) throw new Error('block range is too wide')
        return result
      }
      follower = follow(db, await serve(), FINALITY_DEPTH)
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('answers that end without a word after some blocks, or after so many rows', async () => {
      fill(chain, BLOCKS)
      chain.tamper = (method, result, params) => {
        const range = isLogs(method) ? rangeOf(params) : undefined
        const logs = result as RawLog[]
        return range
          ? logs.filter((log) => Number(log.blockNumber) < range.from + 50).slice(0, 100)
          : result
      }
      follower = follow(db, await serve(), FINALITY_DEPTH)
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('an answer of 10,000 rows is not believed to be whole', async () => {
      chain.mine([{ type: 'open', channel: 'c', payer: 'p', payee: 'q', deposit: 1n }])
      const [sample] = chain.head.logs
      assert.ok(sample)
      for (let i = 0; i < 3; i++) chain.mine()
      let whole = 0
      chain.tamper = (method, result, params) => {
        const range = isLogs(method) ? rangeOf(params) : undefined
        if (!range || range.to === range.from) return result
        whole += 1
        return Array.from({ length: 10_000 }, (_, i) => ({
          ...sample,
          logIndex: `0x${i.toString(16)}`,
        }))
      }
      follower = follow(db, await serve(), 1)
      await untilAtHead(db, chain)
      assert.ok(whole > 0)
      await assertComplete()
    })

    it('a back-end that flips between two forks', async () => {
      fill(chain, 30)
      const other = new FakeChain()
      other.blocks = [...chain.blocks]
      chain.cut(4)
      fill(chain, 6)
      const [own, theirs] = [chain.blocks, other.blocks]
      const random = randomOf(SEED)
      let flips = 0
      const answer: Tamper = (method, result, params) => {
        if (random() < 0.3 && flips < 300) {
          flips += 1
          other.blocks = theirs
          return other.answer(method, params)
        }
        return result
      }
      chain.tamper = answer
      follower = follow(db, await serve(), 12)
      await until(() => flips >= 20, 'it was asked often')
      chain.tamper = (_method, result) => result
      chain.blocks = own
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('everything at once, at random', async (t) => {
      t.diagnostic(`INDEXER_SEED=${SEED}`)
      fill(chain, BLOCKS)
      const random = randomOf(SEED)
      const faults: Tamper[] = [
        () => {
          throw tooMany()
        },
        () => {
          throw new Error('internal error')
        },
        (method, result) => (isBlock(method) ? null : result),
        (method, result, params) =>
          isBlock(method) && params[0] !== 'latest' ? chain.answer(method, ['0x2']) : result,
        (method, result) => (isLogs(method) ? (result as RawLog[]).slice(1) : result),
        (method, result) => (isLogs(method) ? (result as RawLog[]).slice(0, 20) : result),
        (method, result) =>
          isLogs(method) ? (result as RawLog[]).map((log) => ({ ...log, removed: true })) : result,
      ]
      chain.tamper = (method, result, params) => {
        // one channel event that is left out inside a range shows nowhere: that is a known limit
        const fault = random() < 0.1 ? faults[Math.floor(random() * faults.length)] : undefined
        return fault ? fault(method, result, params) : result
      }
      follower = follow(db, await serve(), FINALITY_DEPTH)
      for (let i = 0; i < 3; i++) {
        await untilAtHead(db, chain)
        chain.cut(1 + Math.floor(random() * 10))
        fill(chain, 12)
      }
      await untilAtHead(db, chain)
      await assertComplete()
    })

    it('"healthy" while it is still back-filling: it says so instead', async () => {
      fill(chain, 80)
      let held = true
      chain.tamper = (method, result) => {
        if (held && isLogs(method)) throw new Error('not yet')
        return result
      }
      follower = follow(db, await serve(), 5)
      await until(isNotReady('back-filling'), 'it says that it is back-filling')
      held = false
      await untilAtHead(db, chain)
      await until(() => notReadyReasons(follower?.status as never).length === 0, 'it is ready')
    })

    it('NUL bytes in strings', async () => {
      chain.mine([{ type: 'register', node: 'a', multiaddrs: '\0/ip4\0' }])
      follower = follow(db, await serve())
      await untilAtHead(db, chain)
      const [node] = (await dump(db)).node as { multiaddrs: string }[]
      assert.equal(node?.multiaddrs, '0x002f69703400')
    })

    it('a recovery loop that never ends: a forked final block ends following, at once', async () => {
      fill(chain, 12)
      follower = follow(db, await serve(), 2)
      await untilAtHead(db, chain)
      chain.cut(8)
      fill(chain, 10)
      assert.equal(errorCode(await follower.failed), 'INDEXER_FORKED')
    })

    describe('several RPCs', () => {
      it('of which one serves another chain: it is never asked again', async () => {
        fill(chain, 10)
        const wrong = new FakeChain()
        wrong.chainId = 1
        follower = follow(db, [await serve(wrong), await serve()])
        await untilAtHead(db, chain)
        await assertComplete()
        const asked = wrong.calls.length
        chain.mine()
        await untilAtHead(db, chain)
        assert.equal(wrong.calls.length, asked)
      })

      it('with other genesis blocks are of other chains, whatever id they tell', async () => {
        const stranger = new FakeChain()
        stranger.mine()
        stranger.cut(2)
        stranger.blocks[0] = { ...stranger.head, hash: `0x${'99'.repeat(32)}` }
        fill(chain, 10)
        fill(stranger, 30)
        follower = follow(db, [await serve(), await serve(stranger)])
        await untilAtHead(db, chain)
        await assertComplete()
      })

      it('of which one fails or lags: the others serve', async () => {
        fill(chain, 60)
        const lagging = new FakeChain()
        lagging.blocks = chain.blocks.slice(0, 20)
        const broken = new FakeChain()
        broken.tamper = () => {
          throw Object.assign(new Error('down'), { status: 503 })
        }
        const urls = [await serve(broken), await serve(lagging), await serve()]
        follower = follow(db, ['http://127.0.0.1:1', ...urls], FINALITY_DEPTH)
        await untilAtHead(db, chain)
        await assertComplete()
      })
    })
  })
}
