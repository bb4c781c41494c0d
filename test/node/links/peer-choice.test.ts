import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PEERS_PER_BIN, PeerChoice } from '../../../node/src/links/peer-choice.ts'
import { createView } from '../../../node/src/routing/overlay.ts'
import { addressOf, relay } from '../support/rule-world.ts'

const SELF = addressOf('0000', 0x5a)
const bin = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => relay(prefix + i.toString(2).padStart(6, '0')))
const keysOf = (relays: readonly { peerKey: string }[]) => relays.map(({ peerKey }) => peerKey)

describe('The choice of peers', () => {
  it('tries a bin of dead relays to its end, a few at a time', () => {
    const choice = new PeerChoice()
    const view = createView(SELF, 1, bin('1', 40))
    const attempts = new Map<string, { failures: number }>()
    const tried = new Set<string>()
    let most = 0
    for (let round = 0; round < 40; round++) {
      const chosen = keysOf(choice.choose(view, attempts))
      most = Math.max(most, chosen.length)
      for (const key of [...attempts.keys()]) if (!chosen.includes(key)) attempts.delete(key)
      for (const key of chosen) {
        tried.add(key)
        attempts.set(key, { failures: (attempts.get(key)?.failures ?? 0) + 2 })
      }
    }
    assert.equal(tried.size, 40)
    assert.ok(most <= 2 * PEERS_PER_BIN, `${most} are dialled at a time`)
  })

  it('stays with the peers that answer', () => {
    const choice = new PeerChoice()
    const view = createView(SELF, 1, bin('1', 20))
    const attempts = new Map(
      keysOf(choice.choose(view, new Map())).map((k) => [k, { failures: 0 }]),
    )
    assert.deepEqual(keysOf(choice.choose(view, attempts)).sort(), [...attempts.keys()].sort())
  })

  it('lets go of the surplus of a bin, those that fail first', () => {
    const choice = new PeerChoice()
    const relays = bin('1', 8)
    const attempts = new Map(keysOf(relays).map((k, i) => [k, { failures: i < 4 ? 1 : 0 }]))
    const chosen = keysOf(choice.choose(createView(SELF, 1, relays), attempts))
    assert.deepEqual(chosen.sort(), keysOf(relays.slice(4)).sort())
  })

  it('wants what the lower luminosity wants while the network changes from one to the other', () => {
    const relays = [...bin('1', 10), ...bin('01', 10), ...bin('000', 10)]
    const chosen = (luminosity: number, links: number) =>
      new PeerChoice().choose(createView(SELF, luminosity, relays, links), new Map()).length
    assert.equal(chosen(2, 2), 4 + 4 + 10)
    assert.equal(chosen(1, 1), 4 + 20)
    assert.equal(chosen(2, 1), 4 + 20, 'after a rise')
    assert.equal(chosen(1, 1), 4 + 20, 'after a fall')
  })
})
