/**
 * Faults of relays, peers and machines, over real processes. All tests share one network, which has
 * every fault at the same time until the test of it is over.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { claimEarnings, readConservation } from '@mainframe/localnet'
import { whenLong } from '../helpers/long.ts'
import { describeClocks } from './faults/clocks.ts'
import { describeFullDisks } from './faults/full-disk.ts'
import { describeHostilePeers } from './faults/hostile-peers.ts'
import { describeHostileRelays } from './faults/hostile-relays.ts'
import { describeKilled } from './faults/killed.ts'
import { type FaultWorld, startFaultWorld } from './faults/world.ts'

describe('a network of sixteen relays goes on', whenLong, () => {
  let world: FaultWorld
  before(async () => {
    world = await startFaultWorld()
  })
  after(() => world?.network.shutdown.stop())

  describeClocks(() => world)
  describeHostilePeers(() => world)
  describeHostileRelays(() => world)
  describeFullDisks(() => world)
  describeKilled(() => world) // last: who was killed executes no FORWARD for half an hour

  it('and no base unit is lost by any of this', async () => {
    const { chain, relays } = world.network
    const running = relays.filter(({ service }) => service.isRunning)
    await Promise.all(running.map((relay) => claimEarnings(relay)))
    const { ok, deposited, relaysNet, unsigned } = await readConservation(
      chain,
      relays,
      world.accounts,
    )
    assert.ok(ok, `${deposited} = ${relaysNet} + ${unsigned}`)
    assert.ok(relaysNet > 0n)
  })
})
