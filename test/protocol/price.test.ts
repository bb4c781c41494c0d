import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  dearestPostage,
  destinationFee,
  HOLD_CLASS_MINUTES,
  HOLD_CLASSES,
  highestRate,
  lowerPrices,
  MAX_HOPS,
  medianOf,
  postageTable,
  type RelayPrices,
  roundDownPostage,
  roundUpExpiry,
  roundUpPostage,
  routeFee,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { units } from './support/arbitraries.ts'

const NOW = 29_000_003
const header = (expiryMinutes: number, luminosity = 3) => ({
  luminosity,
  address: new Uint8Array(32),
  expiryMinutes,
})

const prices = fc.record({
  routeUnits: fc.integer({ min: 1, max: 100_000 }),
  holdUnitsPerHour: fc.integer({ min: 1, max: 10_000 }),
})

/** The grid by its definition, in integers of any size. */
function slowRoundDown(amount: number): number {
  const n = BigInt(amount)
  let power = 1n
  while (power * 2n <= n) power *= 2n
  const step = power >= 16n ? power / 16n : 1n
  return Number((n / step) * step)
}

describe('roundDownPostage and roundUpPostage', () => {
  it('follow the definition up to 2^53, next to every power of two included', () => {
    const nearPowers = fc
      .tuple(fc.integer({ min: 0, max: 53 }), fc.integer({ min: -3, max: 3 }))
      .map(([exponent, off]) => Math.min(Math.max(1, 2 ** exponent + off), Number.MAX_SAFE_INTEGER))
    fc.assert(
      fc.property(fc.oneof(nearPowers, units(1)), (amount) => {
        assert.equal(roundDownPostage(amount), slowRoundDown(amount))
      }),
      { numRuns: 2000 },
    )
  })

  it('stay on the grid, within a sixteenth, in order, and are idempotent', () => {
    const amounts = fc.integer({ min: 0, max: 2 ** 50 })
    fc.assert(
      fc.property(amounts, amounts, (a, b) => {
        const [down, up] = [roundDownPostage(a), roundUpPostage(a)]
        assert.ok(down <= a && a <= up && up - down <= a / 16 + 1e-9)
        assert.equal(roundDownPostage(down), down)
        assert.equal(roundDownPostage(up), up)
        assert.equal(roundUpPostage(up), up)
        if (a <= b) assert.ok(down <= roundDownPostage(b) && up <= roundUpPostage(b))
      }),
      { numRuns: 1000 },
    )
  })

  it('leaves at most 16 amounts between two powers of two', () => {
    const amounts = Array.from({ length: 4096 }, (_, i) => roundDownPostage(4096 + i))
    assert.equal(new Set(amounts).size, 16)
    assert.equal(roundDownPostage(0), 0)
  })
})

describe('fees', () => {
  it('a relay that passes on, or is the named hop, takes its route price', () => {
    const relay = { routeUnits: 7, holdUnitsPerHour: 60 }
    assert.equal(routeFee(relay), 7)
    assert.equal(destinationFee(relay, header(NOW + 25, 256), NOW), 7)
  })

  it('a destination takes its hold price to the minute as well, rounded up', () => {
    const relay = { routeUnits: 7, holdUnitsPerHour: 60 }
    assert.equal(destinationFee(relay, header(NOW + 90), NOW), 97)
    const cheap = { routeUnits: 7, holdUnitsPerHour: 1 }
    assert.equal(destinationFee(cheap, header(NOW + 1), NOW), 8)
    assert.equal(destinationFee(cheap, header(NOW + 60), NOW), 8)
    assert.equal(destinationFee(cheap, header(NOW + 61), NOW), 9)
    assert.equal(destinationFee(cheap, header(NOW - 5), NOW), 7)
  })
})

describe('medianOf', () => {
  it('is the middle value, the lower of two, and 0 for none, whatever the order', () => {
    assert.equal(medianOf([]), 0)
    assert.equal(medianOf([5]), 5)
    assert.equal(medianOf([9, 1]), 1)
    assert.equal(medianOf([10, 9, 1]), 9)
    const values = [3, 1, 2]
    assert.equal(medianOf(values), 2)
    assert.deepEqual(values, [3, 1, 2])
  })
})

describe('postageTable', () => {
  it('refuses to be computed without prices', () => {
    assert.throws(() => postageTable({ relays: [], destinations: 1, luminosity: 0 }), {
      code: 'VALIDATION_FAILED',
    })
  })

  it('gives the figures of PROTOCOL.md for a small network', () => {
    const relays = [100, 80, 120].map((routeUnits) => ({ routeUnits, holdUnitsPerHour: 10 }))
    const table = postageTable({ relays, destinations: 8, luminosity: 0 })
    // With the margin route 125, hold 13. Held for 65 minutes at eight relays: 8 * (125 + 15) = 1120.
    // A leg of one routing relay: up to 1152, + 125 = 1277, up to 1280; the next begins with 1280 + 125.
    assert.deepEqual(table['1h'], [1280, 1536, 1792, 2048])
    assert.equal(dearestPostage(table), table['14d'][3])
  })

  it('grows with the hold class, with the layers, with destinations and with prices', () => {
    fc.assert(
      fc.property(
        fc.array(prices, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 10 }),
        (relays, destinations, luminosity) => {
          const table = postageTable({ relays, destinations, luminosity })
          const more = postageTable({ relays, destinations: destinations + 1, luminosity })
          const dearer = relays.map((relay) => ({ ...relay, routeUnits: relay.routeUnits + 1 }))
          const dear = postageTable({ relays: dearer, destinations, luminosity })
          let previous: readonly number[] = [0, 0, 0, 0]
          for (const holdClass of HOLD_CLASSES) {
            const row = table[holdClass]
            assert.equal(row.length, MAX_HOPS + 1)
            for (const [layers, amount] of row.entries()) {
              assert.ok(amount > (row[layers - 1] ?? 0), 'more with each layer')
              assert.ok(amount >= (previous[layers] ?? 0), 'not less for longer holding')
              assert.ok((more[holdClass][layers] ?? 0) >= amount)
              assert.ok((dear[holdClass][layers] ?? 0) >= amount)
              assert.equal(roundDownPostage(amount), amount, 'on the grid')
              assert.ok(amount <= dearestPostage(table))
            }
            previous = row
          }
        },
      ),
    )
  })

  it('always suffices, hop by hop, where nobody asks more than 1.25 times the median', () => {
    fc.assert(
      fc.property(anyRoute, (route) => {
        const amounts = postageTable(route)[route.holdClass]
        const asked = dearestAllowed(route.relays)
        const draw = drawer(route.draws)
        const expiry = roundUpExpiry(NOW + HOLD_CLASS_MINUTES[route.holdClass])
        for (let layers = route.layers; layers >= 0; layers--) {
          let left = amounts[layers] ?? 0
          // relays towards the leg's end, each of which takes its fee and rounds the rest down
          const most = 1 + Math.min(route.luminosity, 4)
          for (let hop = draw(0, most); hop > 0; hop--) {
            left = roundDownPostage(left - draw(1, asked.routeUnits))
          }
          if (layers > 0) {
            const inside = amounts[layers - 1] ?? 0
            assert.ok(left - draw(1, asked.routeUnits) >= inside, `layer ${layers}: ${left}`)
            continue
          }
          const fees = Array.from({ length: draw(1, route.destinations) }, () => {
            const own = {
              routeUnits: asked.routeUnits,
              holdUnitsPerHour: draw(1, asked.holdUnitsPerHour),
            }
            return destinationFee(own, header(expiry), NOW)
          })
          const sum = fees.reduce((total, fee) => total + fee, 0)
          assert.ok(left >= sum, `destinations need ${sum} of ${left}`)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('prices in other media', () => {
  it('bound what a unit costs by the dearer of both services, so that no price there is exceeded', () => {
    const big = fc.bigInt({ min: 0n, max: (1n << 96n) - 1n })
    fc.assert(
      fc.property(prices, big, big, (asked, routeBase, holdBasePerHour) => {
        const rate = highestRate(asked, { routeBase, holdBasePerHour })
        const fits = (each: bigint) =>
          each * BigInt(asked.routeUnits) <= routeBase &&
          each * BigInt(asked.holdUnitsPerHour) <= holdBasePerHour
        assert.ok(fits(rate) && !fits(rate + 1n))
      }),
    )
  })

  it('that are lower hold, each by itself', () => {
    const [a, b] = [
      { routeUnits: 5, holdUnitsPerHour: 7 },
      { routeUnits: 6, holdUnitsPerHour: 3 },
    ]
    assert.deepEqual(lowerPrices(a, b), { routeUnits: 5, holdUnitsPerHour: 3 })
    assert.equal(lowerPrices(a, { routeUnits: 5, holdUnitsPerHour: 9 }), a)
  })
})

const anyRoute = fc.record({
  relays: fc.array(prices, { minLength: 1, maxLength: 9 }),
  destinations: fc.integer({ min: 1, max: 60 }),
  luminosity: fc.integer({ min: 0, max: 8 }),
  layers: fc.integer({ min: 0, max: MAX_HOPS }),
  holdClass: fc.constantFrom(...HOLD_CLASSES),
  draws: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }),
})

/** What a relay may ask at most for the table's promise to hold. */
function dearestAllowed(relays: readonly RelayPrices[]): RelayPrices {
  const most = (values: number[]) => Math.floor(medianOf(values) * 1.25)
  return {
    routeUnits: Math.max(1, most(relays.map(({ routeUnits }) => routeUnits))),
    holdUnitsPerHour: Math.max(1, most(relays.map(({ holdUnitsPerHour }) => holdUnitsPerHour))),
  }
}

/** Integers from a list of fractions, over and over. */
function drawer(fractions: readonly number[]): (min: number, max: number) => number {
  let next = 0
  return (min, max) => {
    const fraction = fractions[next++ % fractions.length] ?? 0
    return min + Math.round(fraction * (max - min))
  }
}
