import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Directory, EpochCounts, RelayEntry } from '../../../node/src/chain/directory.ts'
import { OverlayKeeper } from '../../../node/src/routing/overlay-keeper.ts'
import { relay } from '../support/rule-world.ts'

const DAY_SECONDS = 86_400

/** A keeper over a network whose epochs the test opens, in time that the test moves. */
function keeping(t: TestContext, epochSeconds: number) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 * epochSeconds * 1_000 })
  const self = relay('0') as RelayEntry
  const listeners: (() => void)[] = []
  const directory = {
    relays: new Map([[self.peerKey, self]]),
    epoch: undefined as EpochCounts | undefined,
    byPeerKey: () => self,
    subscribe: (listener: () => void) => {
      listeners.push(listener)
      return () => {}
    },
  }
  const tell = () => {
    for (const listener of listeners) listener()
  }
  const openEpoch = (size: number) => {
    const block = (directory.epoch?.block ?? 0) + 1
    directory.epoch = { block, relays: size, users: 10_000 }
    tell()
  }
  const keeper = new OverlayKeeper({
    directory: directory as unknown as Directory,
    nodeKey: new Uint8Array(32),
    epochSeconds,
    onChange: () => {},
  })
  t.after(() => keeper.stop())
  const values = () => [keeper.view?.luminosity, keeper.view?.linkLuminosity]
  return { keeper, openEpoch, tell, values, pass: (ms: number) => t.mock.timers.tick(ms) }
}

describe('The view of a relay around a change of luminosity', () => {
  it('has everybody for a neighbour before the first epoch', (t) => {
    const { keeper, values } = keeping(t, 5)
    keeper.start()
    assert.deepEqual(values(), [0, 0])
  })

  it('goes by the counts of the epoch, whatever the directory does meanwhile', (t) => {
    const { keeper, openEpoch, tell, values, pass } = keeping(t, 5)
    openEpoch(96)
    keeper.start()
    pass(60_000)
    tell()
    assert.deepEqual(values(), [1, 1])
  })

  it('keeps the links of the lower value for the length of an epoch after a rise', (t) => {
    const { keeper, openEpoch, values, pass } = keeping(t, 5)
    openEpoch(96)
    keeper.start()
    assert.deepEqual(values(), [1, 1])
    pass(5_000)
    openEpoch(192)
    assert.deepEqual(values(), [2, 1])
    pass(4_999)
    assert.deepEqual(values(), [2, 1])
    pass(1)
    assert.deepEqual(values(), [2, 2])
  })

  it('wants the links of the lower value at once after a fall', (t) => {
    const { keeper, openEpoch, values } = keeping(t, 5)
    openEpoch(192)
    keeper.start()
    openEpoch(96)
    assert.deepEqual(values(), [1, 1])
  })

  it('keeps them for a day where an epoch is longer', (t) => {
    const { keeper, openEpoch, values, pass } = keeping(t, 3 * DAY_SECONDS)
    openEpoch(96)
    keeper.start()
    pass(3 * DAY_SECONDS * 1_000)
    openEpoch(192)
    assert.deepEqual(values(), [2, 1])
    pass(DAY_SECONDS * 1_000)
    assert.deepEqual(values(), [2, 2])
  })
})
