/** Attacks on what a relay remembers (PROTOCOL.md §2, step 5 and "Restart"). */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import {
  createKeyPair,
  FORWARD_HORIZON_MINUTES,
  type KeyPair,
  minutesNow,
  roundUpExpiry,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { openMemory, saveMemory } from '../../../node/src/routing/memory.ts'
import { createView } from '../../../node/src/routing/overlay.ts'
import { Router, type RoutingMemory } from '../../../node/src/routing/router.ts'
import { Mesh } from '../support/mesh.ts'
import {
  account,
  addressOf,
  forwardOf,
  HOLD_FEE,
  inboxPacket,
  NOW_MS,
  namedPacket,
  PRICES,
} from '../support/rule-world.ts'
import { Seeded } from '../support/seeded.ts'

const MINUTE_MS = 60_000

describe('Pre-sent copies: a hostile destination sends a copy ahead, to cut off a subtree', () => {
  const attacks = fc.record({
    seeds: fc.uniqueArray(fc.nat(0xffff_ffff), { minLength: 30, maxLength: 50 }),
    luminosity: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer(),
  })

  beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: NOW_MS }))
  afterEach(() => mock.timers.reset())

  it('reaches everybody all the same, is paid in full and held once', () => {
    let respread = 0
    fc.assert(
      fc.property(attacks, ({ seeds, luminosity, seed }) => {
        const chance = new Seeded(seed)
        const mesh = new Mesh(seeds, { luminosity, seed })
        try {
          const [entry, ...others] = mesh.members
          assert.ok(entry)
          const packet = inboxPacket('')
          for (const victim of others.filter(() => chance.below(2) === 0)) {
            const level = chance.pick([256, 1 + chance.below(luminosity)])
            // just its fee: nothing is left to spread it with
            mesh.send(victim, { packet, postageUnits: HOLD_FEE, level })
          }
          mesh.send(entry, { packet, postageUnits: 2 * (HOLD_FEE + 1) * seeds.length })
          for (const { held, router, treated } of mesh.members) {
            assert.equal(held, 1)
            respread += router.outcomes.respread
            for (const { outcome, postageUnits, debitedUnits } of treated) {
              assert.ok(['held', 'respread', 'seen'].includes(outcome))
              const due = outcome === 'seen' ? PRICES.routeUnits : postageUnits
              assert.equal(debitedUnits, due)
            }
          }
        } finally {
          mesh.stop()
        }
      }),
      { numRuns: 40 },
    )
    assert.ok(respread > 0, 'no attack met anybody who had to spread again')
  })
})

describe('Replays: a FORWARD is sent again to link what came in with what went out', () => {
  let folder = ''
  let sealKey: KeyPair
  let running: { router: Router; memory: RoutingMemory } | undefined
  const self = addressOf('0', 0x5a)

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-attacks-'))
    sealKey = createKeyPair()
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: NOW_MS })
  })
  afterEach(async () => {
    running?.router.stop()
    mock.timers.reset()
    await rm(folder, { recursive: true })
  })

  /** A relay with the memory that its folder has, as at every start. */
  async function start() {
    const opened = { folder, sealKey: sealKey.publicKey, capacity: 100, nowMs: Date.now() }
    const memory = await openMemory(opened)
    const router = new Router({
      view: () => createView(self, 0, []),
      prices: () => PRICES,
      links: () => new Map(),
      holds: { hasRoom: true, append: () => {}, flush: async () => {} },
      sealKeys: [sealKey],
      memory,
      limits: { delayed: 10, owed: 10 },
      onFailure: (error) => assert.fail(String(error)),
    })
    running = { router, memory }
    return router
  }

  function crash(): void {
    running?.router.stop()
  }

  async function stop(): Promise<void> {
    assert.ok(running)
    running.router.stop()
    await saveMemory(folder, running.memory)
  }

  const receive = (router: Router, packet: Uint8Array) =>
    router.receive({ packet, postageUnits: 5 * HOLD_FEE, level: 0, account: account() })

  function forwardNow(): Uint8Array {
    const expiryMinutes = roundUpExpiry(minutesNow() + 25)
    const instruction = forwardOf(2 * HOLD_FEE, 1_000)
    return namedPacket({ address: self, sealKey: sealKey.publicKey, instruction, expiryMinutes })
  }

  function repadded(packet: Uint8Array): Uint8Array {
    const copy = packet.slice()
    copy[2047] = 1 ^ (copy[2047] ?? 0)
    return copy
  }

  it('after a crash is not executed, with its own padding or another, for as long as it lives', async () => {
    const packet = forwardNow()
    assert.equal(receive(await start(), packet), 'named')
    for (let minutes = 0; minutes < FORWARD_HORIZON_MINUTES; minutes++) {
      crash()
      const router = await start()
      const outcomes = [packet, repadded(packet)].map((bytes) => receive(router, bytes))
      const alive = router.outcomes.expired === 0
      // who replays it is told what he would be told of any packet
      assert.deepEqual(outcomes, alive ? ['named', 'named'] : ['expired', 'expired'])
      assert.equal(router.opened.restarted, alive ? 2 : 0)
      assert.deepEqual([router.opened.forward, router.delayedCount], [0, 0])
      mock.timers.tick(MINUTE_MS)
    }
  })

  it('after one crash is not executed at any minute of its life', async () => {
    const packet = forwardNow()
    assert.equal(receive(await start(), packet), 'named')
    crash()
    const router = await start()
    for (let minutes = 0; minutes < FORWARD_HORIZON_MINUTES; minutes++) {
      receive(router, repadded(packet))
      receive(router, packet)
      mock.timers.tick(MINUTE_MS)
    }
    assert.ok(router.opened.restarted > 0)
    assert.deepEqual([router.opened.forward, router.delayedCount], [0, 0])
  })

  it('does not stop new FORWARDs for longer than what may have been executed lives', async () => {
    await start()
    crash()
    const router = await start()
    receive(router, forwardNow())
    assert.equal(router.opened.restarted, 1)
    mock.timers.tick(10 * MINUTE_MS)
    receive(router, forwardNow())
    assert.deepEqual([router.opened.restarted, router.opened.forward], [1, 1])
  })

  it('after a clean stop is a duplicate, and with another padding repeats nothing', async () => {
    const packet = forwardNow()
    assert.equal(receive(await start(), packet), 'named')
    await stop()
    const router = await start()
    assert.equal(receive(router, packet), 'seen')
    assert.equal(receive(router, repadded(packet)), 'named')
    assert.deepEqual([router.opened.repeated, router.opened.forward], [1, 0])
    assert.equal(receive(router, forwardNow()), 'named')
    assert.equal(router.opened.forward, 1)
  })

  it('after a clean stop and then a crash is not executed', async () => {
    const packet = forwardNow()
    receive(await start(), packet)
    await stop()
    await start()
    crash()
    const router = await start()
    receive(router, packet)
    assert.deepEqual([router.opened.restarted, router.opened.forward], [1, 0])
  })

  it('is possible for no FORWARD under a seal key that was never used: these are executed', async () => {
    const old = forwardNow()
    receive(await start(), old)
    crash()
    sealKey = createKeyPair()
    const router = await start()
    receive(router, forwardNow())
    receive(router, old)
    assert.deepEqual([router.opened.forward, router.opened.restarted], [1, 0])
    crash()
    const again = await start()
    receive(again, forwardNow())
    assert.deepEqual([again.opened.forward, again.opened.restarted], [0, 1])
  })
})
