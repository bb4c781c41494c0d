import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { RelayStatusJson } from '@mainframe/localnet'
import { toggle } from '../support/launches.ts'
import { decode } from '../support/mailbox.ts'
import { assertOnceEach, exchange, type Party, send } from '../support/party.ts'
import { within } from '../support/waiting.ts'
import { bring, count, type FaultWorld } from './world.ts'

const MESSAGES = 6

export function describeHostileRelays(theWorld: () => FaultWorld): void {
  describe('with a relay that drops everything and one that garbles everything', () => {
    const toggleBoth = () => {
      const { relay } = theWorld()
      for (const role of ['dropper', 'garbler'] as const) toggle(relay(role))
    }
    before(toggleBoth)
    after(toggleBoth)

    it('delivers all messages, intact and once, though they are hops and deliver to recipients', async () => {
      const { alice, bob, relay } = theWorld()
      const dropper = relay('dropper')
      const taken = () => count([dropper], ({ outcomes }) => outcomes['forwarded'])
      const held = () => count([dropper], (status) => status.held.packets)
      const before = { taken: await taken(), held: await held() }
      const texts = Array.from({ length: MESSAGES }, (_, i) => `${i} `.repeat(1_000 * i + 1))
      await Promise.all(
        texts.flatMap((text) => [
          sendAndCompare(alice, bob, text),
          sendAndCompare(bob, alice, text),
        ]),
      )
      assertOnceEach(alice, bob)
      assertOnceEach(bob, alice)
      assert.ok((await taken()) > before.taken, 'it took packets')
      assert.equal(await held(), before.held, 'and did nothing for them')
    })

    it('delivers for senders whose entry relay is one of them: they leave it', async () => {
      const world = theWorld()
      const dropper = world.relay('dropper')
      const garbler = world.relay('garbler')
      const [first, second, third, fourth] = world.sound
      assert.ok(first && second && third && fourth)
      const unreadable = () => count(world.network.relays, refusedAsUnreadable)
      const before = await unreadable()
      const alice = await bring(world, { entry: dropper, subscriptions: [first, second] })
      const bob = await bring(world, { entry: garbler, subscriptions: [third, fourth] })
      await within('messages arrive', exchange(alice, bob, 'by whom?'))
      assert.notEqual(alice.client.relays.entry, dropper.nodeId)
      assert.notEqual(bob.client.relays.entry, garbler.nodeId)
      assertOnceEach(alice, bob)
      assertOnceEach(bob, alice)
      assert.ok((await unreadable()) > before, 'peers of the garbler count what it sends')
      const lost = await count([garbler], ({ undeliverable }) => undeliverable)
      assert.ok(lost > 0, 'and it is told')
      await Promise.all([alice.client.close(), bob.client.close()])
    })
  })
}

async function sendAndCompare(from: Party, to: Party, text: string): Promise<void> {
  const { messageId, delivered } = await send(from, to, text)
  const { bytes } = await to.mailbox.take(messageId)
  assert.equal(decode(bytes), text)
  await within('it is acknowledged', delivered)
}

function refusedAsUnreadable({ outcomes }: RelayStatusJson): number {
  const names = ['malformed', 'version', 'expired', 'too-far']
  return names.reduce((sum, name) => sum + (outcomes[name] ?? 0), 0)
}
