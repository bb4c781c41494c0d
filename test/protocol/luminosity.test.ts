import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mostPerPrefix, networkLuminosity } from '@mainframe/protocol'
import fc from 'fast-check'
import { bytes } from './support/arbitraries.ts'

describe('networkLuminosity', () => {
  it('is zero while the network is small, and where either side is', () => {
    assert.equal(networkLuminosity(0, 0), 0)
    assert.equal(networkLuminosity(95, 1_000_000), 0)
    assert.equal(networkLuminosity(1_000_000, 63), 0)
    assert.equal(networkLuminosity(96, 64), 1)
  })

  it('leaves at least 48 relays and 32 users a prefix on average, and not twice as many of both', () => {
    const count = fc.integer({ min: 0, max: 100_000_000 })
    fc.assert(
      fc.property(count, count, (relays, users) => {
        const bits = networkLuminosity(relays, users)
        if (bits > 0) assert.ok(relays >= 48 * 2 ** bits && users >= 32 * 2 ** bits)
        assert.ok(relays < 96 * 2 ** bits || users < 64 * 2 ** bits)
      }),
      { numRuns: 1000 },
    )
  })

  it('is exact at every step', () => {
    for (let bits = 1; bits <= 24; bits++) {
      assert.equal(networkLuminosity(48 * 2 ** bits, 2 ** 40), bits)
      assert.equal(networkLuminosity(48 * 2 ** bits - 1, 2 ** 40), bits - 1)
    }
  })
})

describe('mostPerPrefix', () => {
  it('counts the fullest prefix', () => {
    assert.equal(mostPerPrefix([], 3), 0)
    const addresses = [0x00, 0x20, 0x3f, 0x40, 0xff].map((first) => {
      const address = new Uint8Array(32).fill(0x55)
      address[0] = first
      return address
    })
    assert.deepEqual(
      [0, 1, 2, 3, 8].map((bits) => mostPerPrefix(addresses, bits)),
      [5, 4, 3, 2, 1],
    )
  })

  it('never grows with more bits', () => {
    fc.assert(
      fc.property(
        fc.array(bytes(32), { minLength: 1 }),
        fc.integer({ min: 0, max: 20 }),
        (all, bits) => {
          assert.ok(mostPerPrefix(all, bits + 1) <= mostPerPrefix(all, bits))
          assert.equal(mostPerPrefix(all, 0), all.length)
        },
      ),
    )
  })
})
