import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MAX_PER_OPERATOR, type RankCandidate, rankFactors, rankOffers } from '@mainframe/protocol'
import { account, word } from './fake-chain.ts'

const reference = { medians: [100n, 1_000n], stake: 400n, blockNumber: 100_000 }

function candidate(name: string, change: Partial<RankCandidate> = {}): RankCandidate {
  return {
    nodeId: word(name),
    operator: account(name),
    prices: [100n, 1_000n],
    stake: 400n,
    updatedBlock: 100_000,
    ...change,
  }
}

describe('the rank of offers', () => {
  it('is not fooled by values that are absurd', () => {
    const free = rankFactors(candidate('a', { prices: [0n, 0n], stake: 0n }), reference)
    assert.deepEqual([free.price, free.stake], [1, 1])
    const dust = rankFactors(candidate('a', { prices: [1n, 1n], stake: 10n ** 40n }), reference)
    assert.deepEqual([dust.price, dust.stake], [4, 2])
    const dear = rankFactors(candidate('a', { prices: [10n ** 28n, 10n ** 28n] }), reference)
    assert.equal(dear.price, 1 / 4)
    const stale = rankFactors(candidate('a', { updatedBlock: 0 }), reference)
    assert.equal(stale.freshness, 1 / 4)
    const future = rankFactors(candidate('a', { updatedBlock: 200_000 }), reference)
    assert.equal(future.freshness, 1)
  })

  it('weighs price against the medians, stake by its root, and what was observed', () => {
    const factors = rankFactors(
      candidate('a', { prices: [50n, 500n], stake: 100n, observed: { succeeded: 0, failed: 8 } }),
      reference,
    )
    assert.ok(Math.abs(factors.price - 2) < 1e-9)
    assert.equal(factors.stake, 1 / 2)
    assert.equal(factors.quality, 9 / 18)
  })

  it('gives one operator no more than two places', () => {
    const operator = account('greedy')
    const many = Array.from({ length: 20 }, (_, i) => candidate(`node ${i}`, { operator }))
    const ranked = rankOffers([...many, candidate('other')], {
      reference,
      seed: new Uint8Array([1]),
      k: 20,
    })
    assert.equal(ranked.length, MAX_PER_OPERATOR + 1)
  })

  it('puts an offer first as often as its share of the weight', () => {
    const cheap = candidate('cheap', { prices: [50n, 500n] })
    const others = Array.from({ length: 6 }, (_, i) => candidate(`other ${i}`))
    const draws = 4_000
    let first = 0
    for (let i = 0; i < draws; i++) {
      const seed = new Uint8Array([i >> 8, i & 255])
      const [best] = rankOffers([cheap, ...others], { reference, seed, k: 1 })
      if (best?.candidate === cheap) first += 1
    }
    // twice the weight of each of six others: 2 in 8; five standard deviations are 0.034
    assert.ok(Math.abs(first / draws - 0.25) < 0.035, `${first} of ${draws}`)
  })
})
