/** An entry connection, a courier and parcels to send, over relays and money in memory. */

import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import type { Hex } from '@mainframe/protocol'
import { systemClock } from '../../../sdk/src/clock.ts'
import type { Directory } from '../../../sdk/src/directory/directory.ts'
import { createExperience } from '../../../sdk/src/directory/experience.ts'
import type { DirectoryView } from '../../../sdk/src/directory/relay.ts'
import type { Parcel, ParcelRefusal } from '../../../sdk/src/messages/parcel.ts'
import { Courier } from '../../../sdk/src/network/courier.ts'
import { Entry } from '../../../sdk/src/network/entry.ts'
import { Guards } from '../../../sdk/src/network/guards.ts'
import { type ClientOptions, resolveOptions } from '../../../sdk/src/options.ts'
import { PROFILES } from '../../../sdk/src/profiles.ts'
import { randomBytes } from '../../../sdk/src/random.ts'
import { type FakeMoney, fakeMoney } from './fake-money.ts'
import { connectTo, FakeRelay } from './fake-relays.ts'
import { deployment } from './honest-indexer.ts'
import { makeView } from './relays.ts'
import { seededRandom } from './seeded-random.ts'

export interface TestParcel extends Parcel {
  outcome: 'waiting' | 'accepted' | ParcelRefusal
  path: readonly Hex[]
  shipments: number
}

export interface EntryRig {
  money: FakeMoney
  relays: FakeRelay[]
  entry: Entry
  courier: Courier
  directory: { view: DirectoryView; outdated: number }
  avoided: Set<Hex>
  fatal: unknown[]
  chosen: Hex[]
  /** Puts parcels into the queue and wakes the courier. */
  post(count: number, changes?: Partial<Parcel>): TestParcel[]
  close(): Promise<void>
}

export interface RigOptions {
  relays?: number
  money?: FakeMoney
  settings?: Partial<ClientOptions>
}

/** The entry that is tried first: the others come after it, in an order that a seed draws. */
export async function pinFirst({ money, relays }: EntryRig, order: readonly number[]) {
  const pinned = order.map((i) => relays[i]?.relay.nodeId)
  const bytes = Uint8Array.from(Buffer.from(JSON.stringify(pinned)))
  await money.context.store.set('entries', bytes)
}

export async function entryRig(options: RigOptions = {}): Promise<EntryRig> {
  const { relays: count = 6, money = fakeMoney() } = options
  const relays = Array.from({ length: count }, (_, i) => new FakeRelay(`r${i}`, money))
  return await entryRigOf(relays, money, options.settings)
}

export async function entryRigOf(
  relays: FakeRelay[],
  money: FakeMoney,
  settings: Partial<ClientOptions> = {},
): Promise<EntryRig> {
  const view = makeView(relays.map(({ relay }) => relay))
  const directory = { view, outdated: 0 }
  const rig = { money, relays, directory, avoided: new Set(), fatal: [], chosen: [] }
  const experience = createExperience()
  const network = { rpcUrl: '', deployment, indexers: ['x'] }
  const resolved = resolveOptions({ network, ...settings } as ClientOptions)
  const profile = { ...PROFILES.local, firstWaitMs: 5, fundRetryMs: 5, restMs: 500, confirmMs: 60 }
  const queue: TestParcel[] = []
  const fresh = async () => directory.view
  const outdate = () => {
    directory.outdated += 1
  }
  const entry: Entry = new Entry({
    channels: money.context,
    directory: { fresh, outdate } as unknown as Directory,
    guards: await Guards.open(money.context.store, experience),
    experience,
    connect: connectTo(relays),
    clock: systemClock,
    settings: { ...resolved, profile },
    avoidedOperators: () => rig.avoided as Set<Hex>,
    listener: {
      onReady: () => courier.pump(),
      onAccepted: (shipment) => courier.onAccepted(shipment),
      onRefused: (shipment, reason) => courier.onRefused(shipment, reason),
      onLinkClosed: (unacknowledged) => courier.onLinkClosed(unacknowledged),
      onFatal: (error) => void (rig.fatal as unknown[]).push(error),
      onRelay: ({ nodeId }) => void (rig.chosen as Hex[]).push(nodeId),
    },
  })
  const courier = new Courier({
    source: { next: () => queue.shift() },
    entry,
    directory: { fresh },
    experience,
    clock: systemClock,
    random: seededRandom(1),
    onDirectoryError: (error) => void (rig.fatal as unknown[]).push(error),
  })
  const post = (count: number, changes: Partial<Parcel> = {}) => {
    const parcels = Array.from({ length: count }, () => makeParcel(queue, changes))
    courier.pump()
    return parcels
  }
  const close = async () => {
    courier.close()
    await entry.close()
  }
  return Object.assign(rig, { entry, courier, post, close }) as unknown as EntryRig
}

function makeParcel(queue: TestParcel[], changes: Partial<Parcel>): TestParcel {
  const parcel: TestParcel = {
    to: new Uint8Array(32).fill(9),
    message: {
      kind: 'message',
      messageId: randomBytes(16),
      index: 0,
      count: 1,
      payload: Uint8Array.of(1),
    },
    holdClass: '1d',
    hops: 3,
    delayMs: 0,
    bias: () => 1,
    outcome: 'waiting',
    path: [],
    shipments: 0,
    shipped: (path) => {
      parcel.shipments += 1
      parcel.path = path
    },
    accepted: () => {
      parcel.outcome = 'accepted'
    },
    refused: (reason) => {
      parcel.outcome = reason
    },
    returned: () => void queue.push(parcel),
    ...changes,
  }
  queue.push(parcel)
  return parcel
}

/** Waits until a condition holds, or fails after a minute: other tests run beside. */
export async function until(condition: () => boolean, what: string, limitMs = 60_000) {
  const deadline = Date.now() + limitMs
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never: ${what}`)
    await wait(5)
  }
}
