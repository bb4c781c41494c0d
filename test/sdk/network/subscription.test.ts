import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../../sdk/src/clock.ts'
import { Subscription } from '../../../sdk/src/network/subscription.ts'
import { PROFILES } from '../../../sdk/src/profiles.ts'
import { until } from '../support/entry-rig.ts'
import { fakeMoney } from '../support/fake-money.ts'
import { connectTo, FakeRelay } from '../support/fake-relays.ts'
import { deployment } from '../support/honest-indexer.ts'

function rig() {
  const relay = new FakeRelay('r', fakeMoney())
  const closed: string[] = []
  const connect = connectTo([relay])
  const subscription = new Subscription({
    relay: relay.relay,
    deployment,
    connect: async (...args) => {
      const { stream } = await connect(...args)
      return { stream, close: async () => void closed.push('connection') }
    },
    clock: systemClock,
    profile: PROFILES.local,
    inbox: new Uint8Array(32),
    bits: () => 0,
    cursor: async () => 0,
    onPacket: () => {},
    intake: { after: (then) => then(), whenRoom: () => undefined },
    onState: () => {},
    onDead: () => assert.fail('it was closed, it did not die'),
  })
  return { relay, subscription, closed }
}

describe('A subscription that is closed', () => {
  it('leaves no connection behind, even to a relay that has not answered yet', async () => {
    const { relay, subscription, closed } = rig()
    relay.manners.answers = false
    subscription.start()
    await until(() => relay.links === 1, 'a connection')
    await subscription.close()
    assert.deepEqual(closed, ['connection'])
    await until(() => relay.links === 0, 'the end of the link', 500)
    assert.equal(subscription.state, 'ended')
  })

  it('asks for nothing when it is closed before it is connected', async () => {
    const { relay, subscription } = rig()
    subscription.start()
    await subscription.close()
    await until(() => relay.links === 0, 'the end of the link', 500)
    assert.deepEqual(relay.wishes, [])
  })
})
