import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  claimEarnings,
  fetchStatus,
  observeHeldPackets,
  type RelayProcess,
} from '@mainframe/localnet'
import { packetEnc, toHex } from '@mainframe/protocol'
import { type Filled, fill, POSTAGE_UNITS } from '../support/filler.ts'
import { goOnLine, revive } from '../support/network.ts'
import { exchange } from '../support/party.ts'
import { channelOf } from '../support/stranger.ts'
import { until, within } from '../support/waiting.ts'
import { type FaultWorld, prepare, QUOTA_BYTES, USUAL } from './world.ts'

export function describeFullDisks(theWorld: () => FaultWorld): void {
  describe('with a relay that has no room to hold', () => {
    it('refuses as `full` at the quota, charges nothing for that, and holds what it took', async () => {
      const world = theWorld()
      const relay = world.relay('quota')
      const { taken, reason, spentUnits } = await fillUp(world, relay)
      assert.equal(reason, 'full')
      assert.equal(spentUnits, taken.size * POSTAGE_UNITS)
      const { outcomes, held } = await fetchStatus(relay)
      assert.ok((outcomes['full'] ?? 0) > 0)
      assert.ok(held.bytes <= QUOTA_BYTES)
      await assertHolds(world, relay, taken)
    })

    it('loses nothing that was acknowledged when a disk is full: the relay says so and ends', async () => {
      const world = theWorld()
      const relay = world.relay('fullDisk')
      const { taken, reason } = await fillUp(world, relay)
      assert.equal(reason, undefined, 'no packet was refused')
      await within('the relay ends', relay.service.exited)
      assert.equal(relay.service.exitCode, 1)
      const { message } = relay.service.failure('ended')
      assert.match(message, /holds\/\d+\.log cannot be read or written: EFBIG/)

      const { alice, bob } = world
      await within('messages arrive without it', exchange(alice, bob, 'is there room?'))

      const again = await revive(world.network, relay, USUAL) // with room
      await assertHolds(world, again, taken)
    })
  })
}

/** Opens a channel to the relay and sends it what it takes. */
async function fillUp(world: FaultWorld, relay: RelayProcess): Promise<Filled> {
  const { network } = world
  const person = await prepare(world, { entry: relay })
  const client = await goOnLine(person, network)
  const { nodeId } = await client.openChannel()
  assert.equal(nodeId, relay.nodeId)
  await until('the relay has seen the deposit', async () => {
    await claimEarnings(relay)
    return (await client.spending()).channels.every(({ claimedBase }) => claimedBase > 0n)
  })
  const channel = await channelOf(client, person, network)
  await client.close()
  const filled = await fill(relay, network, channel)
  assert.ok(filled.taken.size > 0)
  return filled
}

/** What an outsider finds at the relay. */
async function assertHolds(
  { network }: FaultWorld,
  relay: RelayProcess,
  expected: ReadonlySet<string>,
): Promise<void> {
  const held = await observeHeldPackets([relay], network.chain.deployment)
  const encs = new Set<string>(held.map(({ packet }) => toHex(packetEnc(packet))))
  const lost = [...expected].filter((enc) => !encs.has(enc))
  assert.deepEqual(lost, [])
}
