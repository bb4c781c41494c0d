import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Hex, inboxAddress, matchesPrefix } from '@mainframe/protocol'
import fc from 'fast-check'
import { chooseHops, chooseSubscriptions, rankCarriers } from '../../../sdk/src/directory/choose.ts'
import { createExperience } from '../../../sdk/src/directory/experience.ts'
import type { Relay } from '../../../sdk/src/directory/relay.ts'
import { destinationsOf } from '../../../sdk/src/directory/view.ts'
import { shuffle } from '../../../sdk/src/random.ts'
import { makeRelay, makeRelays, makeView } from '../support/relays.ts'
import { seededRandom } from '../support/seeded-random.ts'

const first = (relays: readonly Relay[]): Relay => relays[0] ?? assert.fail()
const idsOf = (relays: readonly Relay[]) => new Set(relays.map(({ nodeId }) => nodeId))

describe('chooseHops', () => {
  it('says how many operators it takes when there are too few', () => {
    const relays = makeRelays(3)
    const choice = { view: makeView(relays), entry: first(relays), random: seededRandom(1) }
    assert.throws(() => chooseHops({ ...choice, count: 3 }), {
      code: 'NETWORK_NO_RELAY',
      message: /3 hops need.*2 offer.*fewer hops/,
    })
  })

  it('never takes the entry relay, its operator, an operator twice, or one who asks too much', () => {
    const scenario = fc.record({
      operators: fc.array(fc.nat(7), { minLength: 8, maxLength: 20 }),
      seed: fc.nat(),
      count: fc.nat(3),
    })
    fc.assert(
      fc.property(scenario, ({ operators, seed, count }) => {
        const dear = { routeUnits: 5000, holdUnitsPerHour: 20 }
        const relays = operators.map((operator, i) =>
          makeRelay(`r${i}`, {
            operator: `0x${String(operator).padStart(40, '0')}`,
            ...(i % 5 === 4 ? { prices: dear } : {}),
          }),
        )
        const view = makeView(relays)
        const entry = first(relays)
        const usable = relays.filter(
          ({ operator, prices }) => operator !== entry.operator && prices !== dear,
        )
        const enough = new Set(usable.map(({ operator }) => operator)).size >= count
        const choose = () => chooseHops({ view, entry, count, random: seededRandom(seed) })
        if (!enough) return void assert.throws(choose, { code: 'NETWORK_NO_RELAY' })
        const hops = choose()
        assert.equal(hops.length, count)
        assert.equal(new Set(hops.map(({ operator }) => operator)).size, count)
        assert.ok(hops.every((hop) => usable.includes(hop)))
      }),
      { numRuns: 200 },
    )
  })

  it('is uniform over operators, not over relays, in every place of the path', () => {
    // six operators, the first of which registered nine relays
    const crowd = Array.from({ length: 9 }, (_, i) =>
      makeRelay(`c${i}`, { operator: `0x${'aa'.repeat(20)}` }),
    )
    const relays = [makeRelay('entry'), ...crowd, ...makeRelays(5)]
    const view = makeView(relays)
    const random = seededRandom(42)
    const rounds = 12_000
    const counts = [0, 1, 2].map(() => new Map<Hex, number>())
    for (let i = 0; i < rounds; i++) {
      const hops = chooseHops({ view, entry: first(relays), count: 3, random })
      hops.forEach(({ operator }, place) => {
        counts[place]?.set(operator, (counts[place]?.get(operator) ?? 0) + 1)
      })
    }
    for (const place of counts) {
      assert.equal(place.size, 6)
      const expected = rounds / 6
      const chiSquared = [...place.values()].reduce(
        (sum, n) => sum + (n - expected) ** 2 / expected,
        0,
      )
      // 5 degrees of freedom: above 20.5 once in a thousand
      assert.ok(chiSquared < 20.5, `chi-squared ${chiSquared}, seed 42`)
    }
  })

  it('takes relays of little weight only when there are not enough others', () => {
    const relays = makeRelays(8)
    const [entry, ...others] = relays
    assert.ok(entry)
    const view = makeView(relays)
    const random = seededRandom(7)
    const bad = idsOf(others.slice(0, 3))
    const choose = (count: number, unwanted: ReadonlySet<Hex>) => {
      const weight = (nodeId: Hex) => (unwanted.has(nodeId) ? 1e-4 : 1)
      return chooseHops({ view, entry, count, random, weight })
    }
    let taken = 0
    for (let i = 0; i < 500; i++) {
      taken += choose(3, bad).filter(({ nodeId }) => bad.has(nodeId)).length
    }
    assert.ok(taken <= 3, `${taken} times in 500 paths`)
    const all = idsOf(others)
    assert.equal(idsOf(choose(3, all)).size, 3)
  })

  it('takes a relay of half the weight about half as often in the first place drawn', () => {
    const relays = makeRelays(6)
    const [entry, half] = relays
    assert.ok(entry && half)
    const view = makeView(relays)
    const random = seededRandom(11)
    const weight = (nodeId: Hex) => (nodeId === half.nodeId ? 0.5 : 1)
    const rounds = 9_000
    let count = 0
    for (let i = 0; i < rounds; i++) {
      const [hop] = chooseHops({ view, entry, count: 1, random, weight })
      if (hop === half) count += 1
    }
    // 0.5 of 4.5
    assert.ok(Math.abs(count / rounds - 1 / 9) < 0.015, `${count} of ${rounds}`)
  })
})

describe('chooseSubscriptions', () => {
  const inbox = inboxAddress(new Uint8Array(32).fill(1))
  const choice = {
    inbox,
    pinned: [],
    dead: new Set<Hex>(),
    count: 2,
    random: seededRandom(3),
  }

  it('never takes the entry relay or another one of its operator', () => {
    const entry = makeRelay('entry')
    const sister = makeRelay('sister', { operator: entry.operator })
    const relays = [entry, sister, makeRelay('x')]
    for (let seed = 0; seed < 50; seed++) {
      const random = seededRandom(seed)
      const chosen = chooseSubscriptions({ ...choice, view: makeView(relays), entry, random })
      assert.deepEqual(
        chosen.map(({ nodeId }) => nodeId),
        [makeRelay('x').nodeId],
      )
    }
  })

  it('stays with pinned relays, replaces dead ones, and takes two operators', () => {
    const relays = makeRelays(9)
    const view = makeView(relays)
    const [a, b] = relays
    assert.ok(a && b)
    const pinned = [a.nodeId, b.nodeId]
    const stay = chooseSubscriptions({ ...choice, view, entry: undefined, pinned })
    assert.deepEqual(stay, [a, b])
    const dead = new Set([b.nodeId])
    const replaced = chooseSubscriptions({ ...choice, view, entry: undefined, pinned, dead })
    assert.equal(replaced.length, 2)
    assert.ok(replaced.includes(a) && !replaced.includes(b))
  })

  it('takes relays at which another inbox is only where there are no more, and stays where it is', () => {
    const relays = makeRelays(5)
    const view = makeView(relays)
    const [a, b, c, d, e] = relays
    assert.ok(a && b && c && d && e)
    const others = new Set([a, b, c].map(({ operator }) => operator))
    for (let seed = 0; seed < 20; seed++) {
      const random = seededRandom(seed)
      const choose = (changes: object) =>
        new Set(
          chooseSubscriptions({ ...choice, view, entry: undefined, random, others, ...changes }),
        )
      assert.deepEqual(choose({}), new Set([d, e]), `seed ${seed}`)
      const shared = choose({ dead: new Set([d.nodeId]) })
      assert.ok(shared.has(e) && shared.size === 2, `seed ${seed}`)
      assert.deepEqual(choose({ pinned: [a.nodeId, b.nodeId] }), new Set([a, b]))
    }
  })

  it('takes only relays that share the disclosed prefix', () => {
    const relays = makeRelays(400)
    const view = makeView(relays, 100_000)
    assert.equal(view.luminosity, 3)
    const chosen = chooseSubscriptions({ ...choice, view, entry: undefined, count: 8 })
    assert.equal(chosen.length, 8)
    assert.ok(chosen.every(({ address }) => matchesPrefix(address, inbox, 3)))
    assert.ok(chosen.every((relay) => destinationsOf(view, inbox).includes(relay)))
  })

  it('takes relays that share a longer prefix of late, and others only when those are too few', () => {
    const relays = makeRelays(400)
    const view = makeView(relays, 100_000)
    const longer = relays.filter(({ address }) => matchesPrefix(address, inbox, 7))
    assert.ok(longer.length > 0 && longer.length < 8)
    const others = destinationsOf(view, inbox).filter((relay) => !longer.includes(relay))
    const pinned = others.slice(0, 8).map(({ nodeId }) => nodeId)
    const options = { ...choice, view, entry: undefined, pinned, longestPrefix: 7 }
    const chosen = chooseSubscriptions({ ...options, count: longer.length })
    assert.deepEqual(idsOf(chosen), idsOf(longer))
    const more = chooseSubscriptions({ ...options, count: 8 })
    assert.equal(more.length, 8)
    assert.ok(longer.every((relay) => more.includes(relay)))
  })

  it('takes the closest relay when none shares the prefix', () => {
    const relays = makeRelays(400).filter(({ address }) => !matchesPrefix(address, inbox, 3))
    const view = { ...makeView(relays, 100_000), luminosity: 3 }
    const chosen = chooseSubscriptions({ ...choice, view, entry: undefined })
    assert.equal(chosen.length, 1)
  })
})

describe('rankCarriers', () => {
  it('draws every good relay about as often as any other, and dear ones not at all', () => {
    const dear = { routeUnits: 9000, holdUnitsPerHour: 20 }
    const relays = [...makeRelays(8), makeRelay('dear', { prices: dear })]
    const view = makeView(relays)
    const firsts = new Map<string, number>()
    for (let i = 0; i < 800; i++) {
      const seed = Uint8Array.of(i >> 8, i & 255)
      const [best] = rankCarriers({ view, experience: createExperience(), seed, k: 3 })
      assert.ok(best)
      const { nodeId } = best.candidate
      firsts.set(nodeId, (firsts.get(nodeId) ?? 0) + 1)
    }
    assert.equal(firsts.size, 8)
    assert.ok(Math.min(...firsts.values()) > 60, JSON.stringify([...firsts.values()]))
  })
})

describe('Experience', () => {
  const ids = makeRelays(7).map(({ nodeId }) => nodeId)
  const [a, b, c, d, e, f, g] = ids
  assert.ok(a && b && c && d && e && f && g)

  it('gives every stranger the same weight', () => {
    const experience = createExperience()
    assert.deepEqual(
      ids.map((id) => experience.weight(id, 0)),
      ids.map(() => 1),
    )
  })

  it('treats relays much alike when a few recipients are away', () => {
    const experience = createExperience()
    for (let i = 0; i < 12; i++) {
      const path = [0, 1, 2].map((place) => ids[(i + place) % 7] ?? a)
      experience.lost(path, 0, 0.5)
    }
    const weights = ids.map((id) => experience.weight(id, 0))
    assert.ok(Math.max(...weights) < 3 * Math.min(...weights), weights.join())
  })

  it('finds a dead relay among seven after a handful of paths', () => {
    const random = seededRandom(21)
    let total = 0
    for (let round = 0; round < 50; round++) {
      const experience = createExperience()
      let tries = 0
      for (; experience.weight(c, 0) > 0.1 && tries < 100; tries++) {
        const path = shuffle(ids, random).slice(0, 3)
        if (path.includes(c)) experience.lost(path, 0, 0.9)
        else experience.arrived(path, 0, 1)
      }
      assert.equal(experience.weight(c, 0) < Math.min(experience.weight(a, 0), 1), true)
      total += tries
    }
    assert.ok(total / 50 < 15, `${total / 50} paths on average`)
  })

  it('believes a failed connection at once, and an arrival as much', () => {
    const experience = createExperience()
    experience.unreachable(a, 0)
    assert.ok(experience.weight(a, 0) < 0.001)
    experience.arrived([a], 1, 1)
    assert.equal(experience.weight(a, 1), 1)
    assert.deepEqual(experience.observed(a), { succeeded: 0, failed: 1 })
  })

  it('forgets within an hour', () => {
    const experience = createExperience()
    experience.unreachable(a, 0)
    assert.ok(experience.weight(a, 60_000) < 0.1)
    assert.equal(experience.weight(a, 3_600_000), 1)
  })
})
