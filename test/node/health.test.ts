import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Condition, troubles } from '../../node/src/health.ts'

const WELL: Condition = {
  chain: { silentSeconds: 1, headSeconds: 12, viewSeconds: 156 },
  maxChainAgeSeconds: 1_800,
  pollSeconds: 1,
  links: { wanted: 4, usable: 3 },
  holdHasRoom: true,
  hasFailed: false,
}

describe('The health of a relay', () => {
  const cases: [string, Partial<Condition>, RegExp][] = [
    [
      'a chain that does not answer',
      { chain: { silentSeconds: 40, headSeconds: 40, viewSeconds: 200 } },
      /chain has not answered for 40 s/,
    ],
    [
      'a chain that stands still',
      { chain: { silentSeconds: 1, headSeconds: 1_000, viewSeconds: 1_200 } },
      /no new block for 1000 s/,
    ],
    [
      'a view of the chain that is too old',
      { chain: { silentSeconds: 1, headSeconds: 5, viewSeconds: 1_801 } },
      /no voucher is accepted, since the newest confirmed block is 1801 s old/,
    ],
    ['peers that are all away', { links: { wanted: 4, usable: 0 } }, /none of 4 peers/],
    ['a hold store without room', { holdHasRoom: false }, /hold store is full/],
    ['a disk that failed', { hasFailed: true }, /cannot go on/],
  ]
  for (const [what, change, reason] of cases) {
    it(`tells of ${what}, in one sentence`, () => {
      const found = troubles({ ...WELL, ...change })
      assert.equal(found.length, 1)
      assert.match(found[0] ?? '', reason)
    })
  }

  it('tells of a silent chain once, not of its head as well', () => {
    const chain = { silentSeconds: 1_700, headSeconds: 1_700, viewSeconds: 1_790 }
    assert.equal(troubles({ ...WELL, chain }).length, 1)
  })

  it('has patience with a chain that is asked seldom', () => {
    const chain = { silentSeconds: 70, headSeconds: 70, viewSeconds: 300 }
    assert.deepEqual(troubles({ ...WELL, pollSeconds: 60, chain }), [])
  })

  it('is good when all is well, and when there is nobody to link to', () => {
    assert.deepEqual(troubles(WELL), [])
    assert.deepEqual(troubles({ ...WELL, links: { wanted: 0, usable: 0 } }), [])
  })
})
