import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fetchStatus } from '@mainframe/localnet'
import { assertOnceEach, exchange, send } from '../support/party.ts'
import { until, within } from '../support/waiting.ts'
import { at, bring, count, type FaultWorld } from './world.ts'

export function describeClocks(theWorld: () => FaultWorld): void {
  describe('with relays whose clocks are two minutes fast or slow', () => {
    it('delivers both ways by way of them, and they serve as hops', async () => {
      const world = theWorld()
      const [fast, fast2, slow, slow2] = skewed(world)
      const [first, second] = world.sound
      assert.ok(first && second)
      const alice = await bring(world, { entry: fast, subscriptions: [slow, first] })
      const bob = await bring(world, { entry: slow2, subscriptions: [fast2, second] })
      await until('each of them has executed FORWARDs', async () => {
        await within('messages arrive', exchange(alice, bob, 'what time is it?'))
        const statuses = await Promise.all(skewed(world).map(fetchStatus))
        return statuses.every(({ opened }) => (opened.forward ?? 0) > 0)
      })
      assert.equal(alice.client.relays.entry, fast.nodeId)
      assert.equal(bob.client.relays.entry, slow2.nodeId)
      assertOnceEach(alice, bob)
      assertOnceEach(bob, alice)
      await Promise.all([alice.client.close(), bob.client.close()])
    })

    it('counts the copies that a slow relay finds underpaid, and others hold them', async () => {
      const world = theWorld()
      const [fast, , slow, slow2] = skewed(world)
      const refused = () => count([slow, slow2], ({ outcomes }) => outcomes['underpaid'])
      const lost = () => count([fast], ({ undeliverable }) => undeliverable)
      const before = { refused: await refused(), lost: await lost() }
      const subscriptions = [slow, at(world.sound, 0)]
      const alice = await bring(world, { entry: fast })
      const bob = await bring(world, { entry: at(world.sound, 1), subscriptions })
      const sent = await send(alice, bob, 'straight to the spreading relay', { hops: 0 })
      await bob.mailbox.take(sent.messageId)
      await until(
        'both slow relays have refused',
        async () => (await refused()) - before.refused >= 2,
      )
      assert.ok((await lost()) - before.lost >= 2, 'the sender of the copies counts them as well')
      await Promise.all([alice.client.close(), bob.client.close()])
    })
  })
}

function skewed(world: FaultWorld) {
  return [
    world.relay('fast'),
    world.relay('fast2'),
    world.relay('slow'),
    world.relay('slow2'),
  ] as const
}
