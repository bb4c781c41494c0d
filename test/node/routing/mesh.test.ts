import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { matchesPrefix } from '@mainframe/protocol'
import fc from 'fast-check'
import { type LinkState, type Member, Mesh } from '../support/mesh.ts'
import { HOLD_FEE, inboxPacket, NOW_MS } from '../support/rule-world.ts'
import { Seeded } from '../support/seeded.ts'

const networks = fc.record({
  seeds: fc.uniqueArray(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 30, maxLength: 70 }),
  luminosity: fc.nat(3),
  entry: fc.nat(29),
  target: fc.nat(29),
  seed: fc.integer(),
})

/** The first bits of an address, as text. */
function firstBits(address: Uint8Array, count: number): string {
  return [...address]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .slice(0, count)
}

/** More than all destinations of a network ask. */
const budgetFor = (relays: number) => 2 * (HOLD_FEE + 1) * relays

describe('A mesh of routers', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: NOW_MS }))
  afterEach(() => mock.timers.reset())

  it('brings a packet from anywhere to every relay that matches, once, and pays everybody', () => {
    fc.assert(
      fc.property(networks, ({ seeds, luminosity, entry, target, seed }) => {
        const mesh = new Mesh(seeds, { luminosity, seed })
        try {
          const [from, to] = [mesh.members[entry], mesh.members[target]]
          assert.ok(from && to)
          const bits = firstBits(to.relay.address, luminosity)
          const budget = budgetFor(seeds.length)
          mesh.send(from, { packet: inboxPacket(bits), postageUnits: budget })
          for (const member of mesh.members) {
            const matches = matchesPrefix(member.relay.address, to.relay.address, luminosity)
            assert.equal(member.held, matches ? 1 : 0)
            if (matches) assert.equal(member.received, 1)
            assert.ok(member.incomeUnits >= member.spendingUnits, 'nobody pays out of his pocket')
            assert.equal(member.router.owedCount + member.router.undeliverable, 0)
          }
          const onTheWay = mesh.members.filter(({ received, held }) => received > 0 && held === 0)
          assert.ok(onTheWay.length <= luminosity, `${onTheWay.length} relays on the way`)
          const earned = mesh.members.reduce((s, m) => s + m.incomeUnits - m.spendingUnits, 0)
          assert.equal(earned, budget, 'what was paid is what was earned')
        } finally {
          mesh.stop()
        }
      }),
      { numRuns: 60 },
    )
  })

  describe('while some of it fails', () => {
    it('reaches every live destination once although three in ten relays are dead', () => {
      fc.assert(
        fc.property(networks, fc.nat(3), ({ seeds, luminosity, entry, seed }, fewer) => {
          const disclosed = Math.max(0, luminosity - fewer)
          const chance = new Seeded(seed)
          const dead = new Set(
            seeds.filter((_, i) => i !== entry && chance.below(10) < 3).map(String),
          )
          const isDead = ({ peerKey }: { peerKey: string }) => dead.has(peerKey)
          const mesh = new Mesh(seeds, { luminosity, seed, isDead })
          try {
            const from = mesh.members[entry]
            assert.ok(from)
            const packet = inboxPacket(firstBits(from.relay.address, disclosed))
            mesh.send(from, { packet, postageUnits: budgetFor(seeds.length) })
            for (const { relay, held, received } of mesh.members) {
              const isMeant = matchesPrefix(relay.address, from.relay.address, disclosed)
              const wanted = isMeant && !isDead(relay) ? 1 : 0
              assert.deepEqual([held, received], [wanted, wanted], relay.peerKey)
            }
          } finally {
            mesh.stop()
          }
        }),
        { numRuns: 40 },
      )
    })

    it('reaches every destination in the end, whatever links are down or break for a while', () => {
      const STATES: readonly LinkState[] = ['works', 'works', 'down', 'breaks', 'breaks after']
      fc.assert(
        fc.property(networks, ({ seeds, luminosity, entry, seed }) => {
          const chance = new Seeded(seed)
          let failing = true
          let failures = 0
          const states = new Map<string, LinkState>()
          const stateOf = (from: Member, to: Member) => {
            if (!failing) return 'works'
            const link = `${from.relay.peerKey} ${to.relay.peerKey}`
            const state = states.get(link) ?? chance.pick(STATES)
            states.set(link, state)
            if (state !== 'works') failures += 1
            return state
          }
          const mesh = new Mesh(seeds, { luminosity, seed, stateOf })
          try {
            const from = mesh.members[entry]
            assert.ok(from)
            mesh.send(from, { packet: inboxPacket(''), postageUnits: budgetFor(seeds.length) })
            const wait = (seconds: number) => {
              for (let i = 0; i < 2 * seconds; i++) {
                mock.timers.tick(500)
                mesh.drain()
              }
            }
            wait(8)
            failing = false
            wait(40) // the longest pause after attempts for eight seconds, at every level of the tree
            assert.ok(failures > 0)
            assert.deepEqual(
              [mesh.owed, mesh.members.filter(({ held }) => held !== 1).length],
              [0, 0],
            )
            for (const { router } of mesh.members) assert.equal(router.undeliverable, 0)
          } finally {
            mesh.stop()
          }
        }),
        { numRuns: 25 },
      )
    })
  })
})
