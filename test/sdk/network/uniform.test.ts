import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import { createExperience } from '../../../sdk/src/directory/experience.ts'
import type { Parcel } from '../../../sdk/src/messages/parcel.ts'
import {
  Courier,
  type ParcelShipment,
  type ShipmentTaker,
} from '../../../sdk/src/network/courier.ts'
import { until } from '../support/entry-rig.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { makeRelays, makeView } from '../support/relays.ts'
import { seededRandom } from '../support/seeded-random.ts'

const PACKETS = 1_000
const HOPS = 3

/** How often each relay was a hop of so many packets, as a courier sends them, and the entry relay. */
async function hopCounts(relays: number, seed: number) {
  const [entry, ...others] = makeRelays(relays)
  assert.ok(entry)
  const clock = fakeClock()
  const view = makeView([entry, ...others], 0, clock.now())
  const counts = new Map<Hex, number>()
  let waiting = PACKETS
  let done = 0
  const parcel: Parcel = {
    to: new Uint8Array(32).fill(9),
    message: {
      kind: 'message',
      messageId: new Uint8Array(16),
      index: 0,
      count: 1,
      payload: Uint8Array.of(1),
    },
    holdClass: '1d',
    hops: HOPS,
    delayMs: 0,
    bias: () => 1,
    shipped: (path) => {
      for (const nodeId of path) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
    },
    accepted: () => {
      done += 1
    },
    refused: (reason) => assert.fail(reason),
    returned: () => assert.fail('returned'),
  }
  const link: ShipmentTaker = {
    channel: { windowUnits: 1e12 },
    canTake: () => true,
    enqueue: (shipment: ParcelShipment) => {
      queueMicrotask(() => courier.onAccepted(shipment))
      return true
    },
  }
  const courier = new Courier({
    source: { next: () => (waiting-- > 0 ? parcel : undefined) },
    entry: { current: { relay: entry, link }, wake: () => {}, outgrown: () => {} },
    directory: { fresh: async () => view },
    experience: createExperience(),
    clock,
    random: seededRandom(seed),
    onDirectoryError: (error) => assert.fail(String(error)),
  })
  courier.pump()
  await until(() => done === PACKETS, 'every packet is taken', 30_000)
  courier.close()
  return { counts, entry }
}

describe('Hops of a thousand packets', () => {
  for (const relays of [8, 40]) {
    it(`are uniform among ${relays} relays: none is chosen too often, and the entry relay never`, async () => {
      const seed = relays
      const { counts, entry } = await hopCounts(relays, seed)
      const most = Math.max(0.15, 4.5 / (relays - 1)) * PACKETS
      assert.equal(counts.get(entry.nodeId), undefined)
      assert.equal(counts.size, relays - 1, `seed ${seed}`)
      for (const [nodeId, count] of counts) {
        assert.ok(count <= most, `${nodeId.slice(0, 10)} in ${count} of ${PACKETS}, seed ${seed}`)
      }
      const expected = (HOPS * PACKETS) / (relays - 1)
      const least = Math.min(...counts.values())
      assert.ok(least > expected / 2, `one in ${least} only, seed ${seed}`)
    })
  }
})
