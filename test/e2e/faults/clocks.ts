import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RelayProcess } from '@mainframe/localnet'
import { exchange, send } from '../support/party.ts'
import { until, within } from '../support/waiting.ts'
import { count, type FaultWorld } from './world.ts'

export function describeClocks(theWorld: () => FaultWorld): void {
  describe('with relays whose clocks are two minutes fast or slow', () => {
    it('delivers both ways by way of them, and they serve as hops', async () => {
      const { alice, bob, relay } = theWorld()
      const executed = (relays: readonly RelayProcess[]) =>
        count(relays, ({ opened }) => opened.forward)
      await until('fast and slow ones have executed FORWARDs', async () => {
        await within('messages arrive', exchange(alice, bob, 'what time is it?'))
        const fast = await executed([relay('fast'), relay('fast2')])
        const slow = await executed([relay('slow'), relay('slow2')])
        return fast > 0 && slow > 0
      })
      assert.equal(alice.client.relays.entry, relay('fast').nodeId)
      assert.equal(bob.client.relays.entry, relay('slow2').nodeId)
    })

    it('counts the copies that a slow relay finds underpaid, and others hold them', async () => {
      const { alice, bob, relay } = theWorld()
      const refused = () =>
        count([relay('slow'), relay('slow2')], ({ outcomes }) => outcomes['underpaid'])
      const lost = () => count([relay('fast')], ({ undeliverable }) => undeliverable)
      const before = { refused: await refused(), lost: await lost() }
      const sent = await send(alice, bob, 'straight to the relay that spreads', { hops: 0 })
      await bob.mailbox.take(sent.messageId)
      await until('both slow relays have refused, and the fast one knows', async () => {
        const now = { refused: await refused(), lost: await lost() }
        return now.refused >= before.refused + 2 && now.lost >= before.lost + 2
      })
    })
  })
}
