import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import { createExperience } from '../../../sdk/src/directory/experience.ts'
import { decodePayload } from '../../../sdk/src/messages/payload.ts'
import { Prober } from '../../../sdk/src/messages/prober.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { makeRelays } from '../support/relays.ts'

const ids = makeRelays(9).map(({ nodeId }) => nodeId)
const [a, b, c, d, e] = ids as [Hex, Hex, Hex, Hex, Hex]

function rig(hops = 3) {
  const clock: FakeClock = fakeClock()
  const experience = createExperience()
  let nothingBack = 0
  const prober = new Prober({
    clock,
    experience,
    self: new Uint8Array(32).fill(1),
    carriage: { holdClass: '1d', hops, delayMs: 0 },
    patienceMs: 1000,
    restMs: 20_000,
    onWork: () => {},
    onNothingBack: () => {
      nothingBack += 1
    },
  })
  /** Sends what waits; the loops whose way `works` come back. */
  const send = (works: (path: readonly Hex[]) => boolean) => {
    const paths: Hex[][] = []
    for (let parcel = prober.next(); parcel; parcel = prober.next()) {
      const drawn = ids.map((id) => ({ id, weight: parcel.bias(id) }))
      const path = drawn
        .sort((x, y) => y.weight - x.weight)
        .slice(0, hops)
        .map(({ id }) => id)
      paths.push(path)
      parcel.shipped(path)
      const content = decodePayload(parcel.message)
      assert.ok(content?.kind === 'loop')
      if (works(path)) prober.onLoop(content.token)
    }
    return paths
  }
  return { clock, experience, prober, send, nothingBack: () => nothingBack }
}

describe('Prober', () => {
  it('finds the dead relay of a lost way, and clears the others', async () => {
    const { clock, experience, prober, send } = rig()
    experience.arrived([d, e], clock.now(), 1)
    prober.doubt([a, b, c])
    const paths = send((path) => !path.includes(b))
    assert.deepEqual(
      paths.map(([first]) => first),
      [a, b, c],
    )
    // in the company of relays that are known to work
    for (const path of paths.slice(0, 1)) assert.deepEqual(path.slice(1), [d, e])
    await clock.pass(1000)
    const weights = [a, b, c].map((id) => experience.weight(id, clock.now()))
    assert.ok(weights[0] === 1 && weights[2] === 1 && (weights[1] ?? 1) < 0.1, weights.join())
  })

  it('leaves relays alone that something came through lately, and a dead one for a while', async () => {
    const { clock, experience, prober, send } = rig()
    experience.arrived([d, e], clock.now(), 1)
    prober.doubt([a, b])
    send((path) => !path.includes(a))
    await clock.pass(1000)
    for (let i = 0; i < 3; i++) {
      prober.doubt([a])
      send((path) => !path.includes(a))
      await clock.pass(1500)
    }
    prober.doubt([a, b])
    assert.deepEqual(
      send(() => true),
      [],
    )
    await clock.pass(20_000)
    prober.doubt([a, b])
    assert.deepEqual(
      send(() => true).map(([first]) => first),
      [a],
    )
  })

  it('tests few relays at a time, each once', () => {
    const { prober, send } = rig()
    prober.doubt(ids)
    prober.doubt(ids)
    assert.equal(send(() => false).length, 6)
    prober.doubt(ids)
    assert.equal(send(() => false).length, 0)
  })

  it('says that nothing comes back after loops enough, later each time that this did not help', async () => {
    const { clock, prober, send, nothingBack } = rig()
    const loseLoops = async (count: number) => {
      prober.doubt(ids.slice(0, count))
      assert.equal(send(() => false).length, count)
      await clock.pass(1000)
      await clock.pass(20_000) // until the same relays may be tested again
    }
    await loseLoops(5)
    assert.equal(nothingBack(), 0)
    await loseLoops(1)
    assert.equal(nothingBack(), 1)
    await loseLoops(6)
    assert.equal(nothingBack(), 1)
    await loseLoops(6)
    assert.equal(nothingBack(), 2)
    prober.onArrival()
    await loseLoops(6)
    assert.equal(nothingBack(), 3)
  })

  it('does not doubt the entry while anything arrives', async () => {
    const { clock, prober, send, nothingBack } = rig()
    const lose = async (doubted: readonly Hex[]) => {
      prober.doubt(doubted)
      assert.equal(send(() => false).length, 5)
      await clock.pass(21_000)
    }
    await lose(ids.slice(0, 5))
    prober.doubt(ids.slice(5, 6))
    const [cleared] = send(() => true)
    const others = ids.filter((id) => !cleared?.includes(id))
    await lose(others.slice(0, 5))
    prober.onArrival()
    await lose(others.slice(0, 5))
    assert.equal(nothingBack(), 0)
  })

  it('sends nothing when messages take no hops, or once it is closed', () => {
    const none = rig(0)
    none.prober.doubt([a])
    assert.equal(none.prober.next(), undefined)
    const closed = rig()
    closed.prober.doubt([a])
    closed.prober.close()
    assert.equal(closed.prober.next(), undefined)
    assert.equal(closed.clock.waiting, 0)
  })

  it('believes no loop that it did not send', () => {
    const { clock, experience, prober, send } = rig()
    prober.doubt([a])
    send(() => false)
    prober.onLoop(new Uint8Array(16))
    assert.equal(experience.provenForMs(a, clock.now()), Number.POSITIVE_INFINITY)
  })
})
