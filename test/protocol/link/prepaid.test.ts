import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  creditUnits,
  earnedWindow,
  newPrepaid,
  nextAmount,
  type Prepaid,
  wantsVoucher,
} from '../../../protocol/src/link/prepaid.ts'

const RATE = 10n
const bounds = (changes: object = {}) => ({
  depositBase: 100_000n,
  signedBase: 1000n,
  baseUnitsPerUnit: RATE,
  windowUnits: 100,
  ...changes,
})
const state = (changes: Partial<Prepaid> = {}): Prepaid => ({
  ...newPrepaid(1000n),
  synchronised: true,
  spentUnits: 40,
  durableUnits: 100,
  ...changes,
})

describe('nextAmount', () => {
  it('is exhausted when less than a unit of the deposit is left', () => {
    assert.equal(nextAmount(state(), bounds({ depositBase: 1009n })), 'exhausted')
    assert.equal(nextAmount(state(), bounds({ depositBase: 1010n })), 1010n)
  })

  it('is overcharged when the relay has had all that was shipped and a window', () => {
    const greedy = state({ spentUnits: 1e9, durableUnits: 1e9, shippedUnits: 7 })
    assert.equal(nextAmount(greedy, bounds()), 1000n + 107n * RATE)
    assert.equal(nextAmount(greedy, bounds({ signedBase: 1000n + 107n * RATE })), 'overcharged')
  })

  it('adds one unit to learn the totals, then fills a window up from what was debited', () => {
    assert.equal(nextAmount(state({ synchronised: false }), bounds()), 1010n)
    assert.equal(nextAmount(state(), bounds()), 1400n)
  })

  it('repeats an amount that the relay does not have, and grows otherwise', () => {
    assert.equal(nextAmount(state({ durableUnits: 99, spentUnits: 0 }), bounds()), 1000n)
    assert.equal(nextAmount(state({ spentUnits: 0 }), bounds()), 1010n)
  })
})

describe('earnedWindow', () => {
  it('is nothing for a link without a packet, whatever the relay says', () => {
    assert.equal(earnedWindow(state({ spentUnits: 1e9, durableUnits: 1e9 }), 100, 0), 0)
  })

  it('is four packets at first, then as much again as the relay took, and a window at most', () => {
    assert.equal(earnedWindow(state(), 100, 7), 28)
    assert.equal(earnedWindow(state({ shippedUnits: 50, inFlightUnits: 30 }), 100, 7), 28)
    assert.equal(earnedWindow(state({ shippedUnits: 50, inFlightUnits: 10 }), 100, 7), 40)
    assert.equal(earnedWindow(state({ shippedUnits: 500 }), 100, 7), 100)
    assert.equal(earnedWindow(state(), 100, 90), 100)
  })
})

describe('wantsVoucher', () => {
  it('never asks for more than a window', () => {
    const full = state({ spentUnits: 0 })
    assert.equal(wantsVoucher(full, 100, 101), false)
    assert.equal(wantsVoucher({ ...full, inFlightUnits: 100 }, 100, 1), false)
  })

  it('waits for acknowledgements until a quarter of a window is worth a signature', () => {
    const flying = (spentUnits: number) => state({ spentUnits, inFlightUnits: 60 })
    assert.equal(wantsVoucher(flying(24), 100, 1), false)
    assert.equal(wantsVoucher(flying(25), 100, 1), true)
  })

  it('asks below half a window, or for a packet that does not fit', () => {
    assert.equal(wantsVoucher(state({ spentUnits: 50 }), 100, 1), false)
    assert.equal(wantsVoucher(state({ spentUnits: 51 }), 100, 1), true)
    assert.equal(wantsVoucher(state({ spentUnits: 10 }), 100, 90), false)
    assert.equal(wantsVoucher(state({ spentUnits: 10 }), 100, 91), true)
  })

  it('with an honest relay any packet up to a window gets its credit at last', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 0, max: 100 }),
        (next, spent) => {
          const now = state({ spentUnits: spent })
          if (next <= creditUnits(now)) return
          assert.equal(wantsVoucher(now, 100, next), true)
          const amount = nextAmount(now, bounds())
          assert.ok(typeof amount === 'bigint')
          assert.ok(next <= Number(amount / RATE) - spent)
        },
      ),
    )
  })
})
