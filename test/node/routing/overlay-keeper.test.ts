import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Directory, RelayEntry } from '../../../node/src/chain/directory.ts'
import { OverlayKeeper } from '../../../node/src/routing/overlay-keeper.ts'
import { relay } from '../support/rule-world.ts'

const DAY_SECONDS = 86_400

/** A keeper over a network whose size the test sets, in time that the test moves. */
function keeping(t: TestContext, epochSeconds: number) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 * epochSeconds * 1_000 })
  const relays = new Map<string, RelayEntry>()
  const resize = (size: number) => {
    relays.clear()
    for (let i = 0; i < size; i++) {
      const entry = relay(i.toString(2).padStart(9, '0')) as RelayEntry
      relays.set(entry.peerKey, entry)
    }
  }
  const directory = {
    relays,
    users: 10_000,
    byPeerKey: () => relays.get('000000000'),
    subscribe: () => () => {},
  } as unknown as Directory
  const keeper = new OverlayKeeper({
    directory,
    nodeKey: new Uint8Array(32),
    epochSeconds,
    onChange: () => {},
  })
  t.after(() => keeper.stop())
  const values = () => [keeper.view?.luminosity, keeper.view?.linkLuminosity]
  return { keeper, resize, values, pass: (ms: number) => t.mock.timers.tick(ms) }
}

describe('The view of a relay around a change of luminosity', () => {
  it('keeps the links of the lower value for an epoch after a rise', (t) => {
    const { keeper, resize, values, pass } = keeping(t, 5)
    resize(96)
    keeper.start()
    assert.deepEqual(values(), [1, 1])
    resize(192)
    pass(5_000)
    assert.deepEqual(values(), [2, 1])
    pass(4_999)
    assert.deepEqual(values(), [2, 1])
    pass(1)
    assert.deepEqual(values(), [2, 2])
  })

  it('wants the links of the lower value at once after a fall', (t) => {
    const { keeper, resize, values, pass } = keeping(t, 5)
    resize(192)
    keeper.start()
    resize(96)
    pass(5_000)
    assert.deepEqual(values(), [1, 1])
  })

  it('keeps them for a day where an epoch is longer', (t) => {
    const { keeper, resize, values, pass } = keeping(t, 3 * DAY_SECONDS)
    resize(96)
    keeper.start()
    resize(192)
    pass(3 * DAY_SECONDS * 1_000)
    assert.deepEqual(values(), [2, 1])
    pass(DAY_SECONDS * 1_000)
    assert.deepEqual(values(), [2, 2])
  })
})
