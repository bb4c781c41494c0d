import { strict as assert } from 'node:assert'
import { describe, it } from 'node:test'
import type { ApiMeta, Hex } from '@mainframe/protocol'
import { createBlockCache } from '../../indexer/src/repositories/block-cache.ts'

const NEVER = () => Number.POSITIVE_INFINITY

function metaOf(block: number, now: number): ApiMeta {
  const hash: Hex = `0x${block.toString(16).padStart(64, '0')}`
  const log = { seq: 0, head: hash }
  return {
    chainId: 1,
    block: { number: block, hash, time: 0 },
    finalized: 0,
    now,
    registry: log,
    board: log,
  }
}

/** A cache with a count of how often rows were read. */
function countedCache() {
  const cache = createBlockCache()
  const read = async () => {
    counted.reads += 1
    return counted.reads
  }
  const counted = {
    reads: 0,
    ask: (meta: ApiMeta, until = NEVER) => cache(meta, 'key', read, until),
  }
  return counted
}

describe('Answers that are kept for a block', () => {
  it('are not kept when reading fails', async () => {
    const cache = createBlockCache()
    const meta = metaOf(1, 10)
    const failing = cache(meta, 'key', () => Promise.reject(new Error('no rows')))
    await assert.rejects(failing, /no rows/)
    assert.equal(await cache(meta, 'key', async () => 'rows'), 'rows')
  })

  it('are read anew when a price has risen by itself', async () => {
    const counted = countedCache()
    const until = () => 20
    await counted.ask(metaOf(1, 10), until)
    await counted.ask(metaOf(1, 19), until)
    assert.equal(counted.reads, 1)
    await counted.ask(metaOf(1, 20), until)
    assert.equal(counted.reads, 2)
  })

  it('are read anew with the next block, however soon', async () => {
    const counted = countedCache()
    await counted.ask(metaOf(1, 10))
    await counted.ask(metaOf(2, 10))
    assert.equal(counted.reads, 2)
  })

  it('cost a crowd one look at the rows', async () => {
    const counted = countedCache()
    const answers = await Promise.all(Array.from({ length: 50 }, () => counted.ask(metaOf(1, 10))))
    assert.deepEqual(new Set(answers), new Set([1]))
    await counted.ask(metaOf(1, 1_000_000))
    assert.equal(counted.reads, 1)
  })
})
