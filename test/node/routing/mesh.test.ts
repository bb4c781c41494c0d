import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyPair, matchesPrefix, sharedBits } from '@mainframe/protocol'
import fc from 'fast-check'
import { createView, type OverlayRelay } from '../../../node/src/routing/overlay.ts'
import { type Dispatch, type PacketLink, Router } from '../../../node/src/routing/router.ts'
import type { Account } from '../../../node/src/routing/rule.ts'
import { SeenMemory } from '../../../node/src/routing/seen.ts'
import { HOLD_FEE, inboxPacket, NOW_MS, PRICES } from '../support/rule-world.ts'

const PEERS_PER_BIN = 4

interface Member {
  relay: OverlayRelay
  router: Router
  links: Map<string, PacketLink>
  held: number
  received: number
  /** What came in and what went out, in units. */
  incomeUnits: number
  spendingUnits: number
}

/** Routers with links as the overlay prescribes; a shipment arrives when the queue gets to it. */
class Mesh {
  readonly members: Member[]
  readonly #queue: (() => void)[] = []

  constructor(
    seeds: readonly number[],
    { luminosity, random }: { luminosity: number; random: () => number },
  ) {
    const relays = seeds.map((seed) => {
      const address = new Uint8Array(32).fill(0x11)
      new DataView(address.buffer).setUint32(0, seed)
      return { peerKey: `${seed}`, address, prices: PRICES }
    })
    this.members = relays.map((relay) => this.#member(relay, relays, luminosity))
    for (const member of this.members) this.#link(member, luminosity, random)
  }

  /** Sends a packet from outside to a member and lets everything that follows happen. */
  send(entry: Member, packet: Uint8Array, postageUnits: number): void {
    this.#deliver(entry, { packet, postageUnits, level: 0 })
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next()
  }

  stop(): void {
    for (const { router } of this.members) router.stop()
  }

  #deliver(
    to: Member,
    { packet, postageUnits, level }: Pick<Dispatch, 'packet' | 'postageUnits' | 'level'>,
  ) {
    const account: Account = { durableUnits: postageUnits, spentUnits: 0 }
    to.received += 1
    to.router.receive({ packet, postageUnits, level, account })
    to.incomeUnits += account.spentUnits
  }

  #member(relay: OverlayRelay, relays: readonly OverlayRelay[], luminosity: number): Member {
    const view = createView(relay.address, luminosity, relays)
    const links = new Map<string, PacketLink>()
    const router = new Router({
      view: () => view,
      prices: () => PRICES,
      links: () => links,
      holds: {
        hasRoom: true,
        append: () => {
          member.held += 1
        },
        flush: async () => {},
      },
      sealKeys: [createKeyPair()],
      memory: {
        seen: new SeenMemory({ capacity: 1_000, keyBytes: 16 }),
        acted: new SeenMemory({ capacity: 1_000, keyBytes: 32 }),
        forgottenUntilMinutes: 0,
      },
      limits: { delayed: 10, owed: 1_000 },
      onFailure: (error) => assert.fail(String(error)),
      now: () => NOW_MS,
    })
    const counts = { held: 0, received: 0, incomeUnits: 0, spendingUnits: 0 }
    const member: Member = { relay, router, links, ...counts }
    return member
  }

  #link(member: Member, luminosity: number, random: () => number): void {
    const bins = new Map<number, Member[]>()
    for (const other of this.members) {
      const shared = sharedBits(member.relay.address, other.relay.address)
      if (other === member) continue
      if (shared >= luminosity) this.#connect(member, other)
      else bins.set(shared, [...(bins.get(shared) ?? []), other])
    }
    for (const bin of bins.values()) {
      bin.sort(() => random() - 0.5)
      for (const other of bin.slice(0, PEERS_PER_BIN)) this.#connect(member, other)
    }
  }

  #connect(from: Member, to: Member): void {
    from.links.set(to.relay.peerKey, {
      relay: to.relay,
      prices: PRICES,
      canTake: () => true,
      ship: (dispatch) => {
        from.spendingUnits += dispatch.postageUnits
        this.#queue.push(() => this.#deliver(to, dispatch))
        return true
      },
    })
  }
}

const networks = fc.record({
  seeds: fc.uniqueArray(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 30, maxLength: 70 }),
  luminosity: fc.nat(3),
  entry: fc.nat(29),
  target: fc.nat(29),
  seed: fc.integer(),
})

/** A sequence of fractions from a seed, so that a failure can be repeated. */
function sequence(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('A mesh of routers', () => {
  it('brings a packet from anywhere to every relay that matches, once, and pays everybody', () => {
    fc.assert(
      fc.property(networks, ({ seeds, luminosity, entry, target, seed }) => {
        const mesh = new Mesh(seeds, { luminosity, random: sequence(seed) })
        try {
          const [from, to] = [mesh.members[entry], mesh.members[target]]
          assert.ok(from && to)
          const bits = [...to.relay.address]
            .map((byte) => byte.toString(2).padStart(8, '0'))
            .join('')
            .slice(0, luminosity)
          const budget = 2 * (HOLD_FEE + 1) * seeds.length
          mesh.send(from, inboxPacket(bits), budget)
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
})
