import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { discloseAddress, matchesPrefix, sharedBits } from '@mainframe/protocol'
import fc from 'fast-check'
import { createView, type OverlayRelay } from '../../../node/src/routing/overlay.ts'
import { coveredLevel, LAST_LEVEL, planSpread } from '../../../node/src/routing/spread.ts'
import { HOLD_FEE, HOUR_EXPIRY, NOW_MINUTES, PRICES, relay } from '../support/rule-world.ts'

/** A spreader pays as of a minute ago. */
const FEE = HOLD_FEE + 1

const ID = new Uint8Array(16).fill(0x33)

function network(seeds: readonly number[]): OverlayRelay[] {
  return seeds.map((seed) => {
    const address = new Uint8Array(32)
    new DataView(address.buffer).setUint32(0, seed)
    return { peerKey: `${seed}`, address, prices: PRICES }
  })
}

interface Simulation {
  relays: OverlayRelay[]
  /** What each relay takes the network's luminosity to be. */
  luminosityOf: (relay: OverlayRelay) => number
  disclosed: number
  budget: number
}

/** Sends the packet through the whole network and counts who gets it, from one first destination. */
function simulate({ relays, luminosityOf, disclosed, budget }: Simulation) {
  const first = relays[0] as OverlayRelay
  const address = discloseAddress(first.address, disclosed)
  const header = { luminosity: disclosed, address, expiryMinutes: HOUR_EXPIRY }
  const received = new Map<string, number>()
  const queue = [{ to: first, level: disclosed, postageUnits: budget }]
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { to, level, postageUnits } = next
    received.set(to.peerKey, (received.get(to.peerKey) ?? 0) + 1)
    assert.ok(postageUnits >= HOLD_FEE, 'every copy pays at least its receiver')
    const copies = planSpread({
      view: createView(to.address, luminosityOf(to), relays),
      header,
      packetId: ID,
      level: Math.max(level, disclosed),
      coveredFrom: LAST_LEVEL,
      budgetUnits: postageUnits - HOLD_FEE,
      nowMinutes: NOW_MINUTES,
    })
    for (const copy of copies) {
      const [receiver] = copy.relays
      assert.ok(receiver)
      queue.push({ to: receiver, level: copy.level, postageUnits: copy.postageUnits })
    }
  }
  const matching = relays.filter((r) => matchesPrefix(r.address, address, disclosed))
  return { received, matching }
}

const seeds = fc.uniqueArray(fc.integer({ min: 0, max: 0xffff_ffff }), {
  minLength: 1,
  maxLength: 60,
})

describe('Spreading', () => {
  function assertReachedOnce(simulation: Omit<Simulation, 'budget'>): void {
    const budget = FEE * simulation.relays.length
    const { received, matching } = simulate({ ...simulation, budget })
    assert.deepEqual([...received.keys()].sort(), matching.map((r) => r.peerKey).sort())
    for (const [, times] of received) assert.equal(times, 1)
  }

  it('reaches every relay that matches exactly once, and nobody else, whatever the bins', () => {
    fc.assert(
      fc.property(seeds, fc.nat(4), fc.nat(6), (numbers, luminosity, disclosed) => {
        assertReachedOnce({ relays: network(numbers), luminosityOf: () => luminosity, disclosed })
      }),
      { numRuns: 150 },
    )
  })

  it('does so too while relays disagree about the luminosity', () => {
    const opinions = fc.array(fc.nat(5), { minLength: 60, maxLength: 60 })
    fc.assert(
      fc.property(seeds, opinions, fc.nat(6), (numbers, values, disclosed) => {
        const relays = network(numbers)
        const opinionOf = new Map(relays.map((each, i) => [each, values[i] ?? 0]))
        assertReachedOnce({ relays, luminosityOf: (each) => opinionOf.get(each) ?? 0, disclosed })
      }),
      { numRuns: 150 },
    )
  })

  it('serves whole relays when money is short, in XOR order to the packet id', () => {
    const relays = network([0x3000_0000, 0x3300_0000, 0xf000_0000, 0x0000_0001])
    const view = createView(new Uint8Array(32).fill(0xff), 0, relays)
    const header = { luminosity: 0, address: new Uint8Array(32), expiryMinutes: HOUR_EXPIRY }
    const spread = { view, header, packetId: ID, level: 0, coveredFrom: LAST_LEVEL }
    const plan = (budgetUnits: number) =>
      planSpread({ ...spread, budgetUnits, nowMinutes: NOW_MINUTES })
    assert.deepEqual(plan(FEE - 1), [])
    const two = plan(3 * FEE - 1).map(({ relays: [r], postageUnits }) => [r?.peerKey, postageUnits])
    assert.deepEqual(two, [
      [`${0x3300_0000}`, FEE],
      [`${0x3000_0000}`, FEE],
    ])
    assert.equal(plan(4 * FEE).length, 4)
  })

  it('passes over an overpriced relay instead of starving the others', () => {
    const dear = { routeUnits: 1e12, holdUnitsPerHour: 1 }
    const relays = [relay('0011', dear), relay('01'), relay('1')]
    const view = createView(new Uint8Array(32), 0, relays)
    const header = { luminosity: 0, address: new Uint8Array(32), expiryMinutes: HOUR_EXPIRY }
    const spread = { view, header, packetId: ID, level: 0, coveredFrom: LAST_LEVEL }
    const copies = planSpread({ ...spread, budgetUnits: 3 * FEE, nowMinutes: NOW_MINUTES })
    assert.deepEqual(copies.map(({ relays: [r] }) => r?.peerKey).sort(), ['01', '1'])
  })

  it('sends one copy into each bin, paying for all in it, and one to each neighbour', () => {
    const relays = ['10', '11', '010', '011', '0010', '0011'].map((bits) => relay(bits))
    const view = createView(relay('0000').address, 2, relays)
    const header = { luminosity: 0, address: new Uint8Array(32), expiryMinutes: HOUR_EXPIRY }
    const spread = { view, header, packetId: ID, level: 0, coveredFrom: LAST_LEVEL }
    const copies = planSpread({ ...spread, budgetUnits: 1e6, nowMinutes: NOW_MINUTES })
    const shape = copies.map(({ level, relays: r, postageUnits }) => [
      level,
      r.length,
      postageUnits,
    ])
    assert.deepEqual(shape.sort(), [
      [1, 2, 2 * FEE],
      [2, 2, 2 * FEE],
      [256, 1, FEE],
      [256, 1, FEE],
    ])
    for (const { level, relays: bin } of copies) {
      if (level === LAST_LEVEL) continue
      for (const r of bin) assert.equal(sharedBits(view.self, r.address), level - 1)
    }
  })

  it('covers what it pays for: nothing up to a relay that was passed over', () => {
    const relays = ['1', '01', '001'].map((bits) => relay(bits))
    const view = createView(relay('000').address, 3, relays)
    const header = { luminosity: 0, address: new Uint8Array(32), expiryMinutes: HOUR_EXPIRY }
    const span = { view, level: 0, coveredFrom: LAST_LEVEL }
    const copies = planSpread({
      ...span,
      header,
      packetId: ID,
      budgetUnits: 3 * FEE,
      nowMinutes: NOW_MINUTES,
    })
    assert.equal(copies.length, 3)
    assert.equal(coveredLevel(span, copies), 0)
    const without = (bits: string) => copies.filter(({ relays: [r] }) => r?.peerKey !== bits)
    assert.deepEqual(
      ['1', '01', '001'].map((bits) => coveredLevel(span, without(bits))),
      [1, 2, 3],
    )
    assert.equal(coveredLevel({ ...span, coveredFrom: 2 }, without('001')), 0)
    const unpriced = createView(view.self, 3, [{ ...relay('1'), prices: undefined }])
    assert.equal(coveredLevel({ ...span, view: unpriced }, []), 0)
  })
})
