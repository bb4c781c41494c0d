import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createKeyPair, type Hex, type KeyPair, toHex } from '@mainframe/protocol'
import { systemClock } from '../../../sdk/src/clock.ts'
import type { Directory } from '../../../sdk/src/directory/directory.ts'
import type { PublishedMessage } from '../../../sdk/src/messages/deliveries.ts'
import type { Parcel } from '../../../sdk/src/messages/parcel.ts'
import {
  fragmentMessage,
  PUBLICATION_BYTES,
  publicationCount,
  publicationMessage,
} from '../../../sdk/src/messages/payload.ts'
import { type GroupInbox, GroupInboxes } from '../../../sdk/src/network/group-inboxes.ts'
import { pack } from '../../../sdk/src/network/packing.ts'
import { type ClientOptions, resolveOptions } from '../../../sdk/src/options.ts'
import { PROFILES } from '../../../sdk/src/profiles.ts'
import { randomBytes, systemRandom } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import type { Store } from '../../../sdk/src/store/store.ts'
import { until } from '../support/entry-rig.ts'
import { fakeMoney } from '../support/fake-money.ts'
import { connectTo, FakeRelay } from '../support/fake-relays.ts'
import { deployment } from '../support/honest-indexer.ts'
import { makeView } from '../support/relays.ts'
import { seededRandom } from '../support/seeded-random.ts'

const bytesOf = (length: number, by = 3) => Uint8Array.from({ length }, (_, i) => (i * by) % 256)

function makeFakes(count: number): FakeRelay[] {
  const money = fakeMoney()
  return Array.from({ length: count }, (_, i) => new FakeRelay(`r${i}`, money))
}

interface Published {
  address: Uint8Array
  key: KeyPair
  bytes: Uint8Array
  messageId?: Uint8Array
}

/** The packets of a message for a group, as a member makes them. */
function packetsOf({ address, key, bytes, messageId = randomBytes(16) }: Published): Uint8Array[] {
  return Array.from({ length: publicationCount(bytes.length) }, (_, index) =>
    packetOf(key, publicationMessage({ messageId, bytes, index }), address),
  )
}

function packetOf(key: KeyPair, message: Parcel['message'], address?: Uint8Array): Uint8Array {
  const parcel = { to: key.publicKey, address, message, holdClass: '1d', hops: 0, delayMs: 0 }
  const view = makeView(makeFakes(1).map(({ relay }) => relay))
  const packing = { view, hops: [], nowMs: Date.now(), random: systemRandom }
  return pack(parcel as unknown as Parcel, packing).packet
}

function holdAt(relays: readonly FakeRelay[], packets: readonly Uint8Array[]): void {
  for (const packet of packets) for (const relay of relays) relay.hold(packet)
}

interface Rig {
  groups: GroupInboxes
  store: Store
  received: (PublishedMessage & { group: string })[]
  echoes: string[]
  errors: unknown[]
  personal: Set<Hex>
  group(changes?: Partial<GroupInbox>): GroupInbox
}

function rigOf(
  relays: readonly FakeRelay[],
  options: { store?: Store; entry?: FakeRelay; seed?: number } = {},
): Rig {
  const { store = memoryStore(), seed = 1 } = options
  const rig = { store, received: [], echoes: [], errors: [], personal: new Set() } as unknown as Rig
  const view = makeView(relays.map(({ relay }) => relay))
  const network = { rpcUrl: '', deployment, indexers: ['x'] }
  const profile = { ...PROFILES.local, firstWaitMs: 5, restMs: 300, inboxCheckMs: 50 }
  rig.groups = new GroupInboxes({
    directory: { fresh: async () => view, view } as unknown as Directory,
    deployment,
    connect: connectTo(relays),
    store,
    clock: systemClock,
    random: seededRandom(seed),
    settings: { ...resolveOptions({ network } as unknown as ClientOptions), profile },
    entry: () => options.entry?.relay,
    personal: () => rig.personal,
    onEcho: (key, index) => void rig.echoes.push(`${key} ${index}`),
    onHandlerError: (error) => void rig.errors.push(error),
  })
  rig.group = (changes = {}) => {
    const id = changes.id ?? 'friends'
    const handler = (message: PublishedMessage) => void rig.received.push({ ...message, group: id })
    return { id, address: bytesOf(32), keys: [createKeyPair()], handler, ...changes }
  }
  return rig
}

const linked = (relays: readonly FakeRelay[]) => relays.filter(({ links }) => links > 0)

describe('GroupInboxes: what cannot be listened to', () => {
  const refused: [string, Partial<GroupInbox>][] = [
    ['no key', { keys: [] }],
    ['seven keys', { keys: Array.from({ length: 7 }, () => createKeyPair()) }],
    ['half a key', { keys: [{ ...createKeyPair(), secretKey: new Uint8Array(16) }] }],
    ['an address of 31 bytes', { address: new Uint8Array(31) }],
    ['an id that could leave its part of the store', { id: 'a.b' }],
    ['no id', { id: '' }],
  ]
  for (const [what, changes] of refused) {
    it(`refuses ${what}`, async () => {
      const { groups, group, store } = rigOf(makeFakes(2))
      await assert.rejects(groups.listen(group(changes)), { code: 'VALIDATION_FAILED' })
      assert.deepEqual(await store.list(''), [])
    })
  }

  it('refuses a group twice, one with the address of another, and one too many', async () => {
    const store = memoryStore()
    const first = rigOf(makeFakes(2), { store })
    const both = Promise.all([1, 2].map(() => first.groups.listen(first.group())))
    await assert.rejects(both, { code: 'VALIDATION_FAILED', message: /open already/ })
    for (let i = 1; i < 64; i++) await first.groups.listen(first.group({ id: `g${i}` }))
    const late = first.groups.listen(first.group({ id: 'late' }))
    await assert.rejects(late, { code: 'VALIDATION_FAILED', message: /at most 64/ })
    await first.groups.close()
    const again = rigOf(makeFakes(2), { store })
    const moved = again.groups.listen(again.group({ address: new Uint8Array(32) }))
    await assert.rejects(moved, { code: 'VALIDATION_FAILED', message: /another address/ })
    await again.groups.close()
  })

  it('says that it is closed, and knows no group that it does not listen to', async () => {
    const { groups, group } = rigOf(makeFakes(2))
    assert.throws(() => groups.rekey('friends', [createKeyPair()]), { code: 'VALIDATION_FAILED' })
    await groups.close()
    await assert.rejects(groups.listen(group()), { code: 'NETWORK_CLOSED' })
  })
})

describe('GroupInboxes: what is not for us', () => {
  it('takes nothing of a key that it does not have, nor what is for a person', async () => {
    const relays = makeFakes(2)
    const rig = rigOf(relays)
    const key = createKeyPair()
    const { caughtUp } = await rig.groups.listen(rig.group({ keys: [key] }))
    await caughtUp
    const address = bytesOf(32)
    const bytes = bytesOf(10)
    const stranger = packetsOf({ address, key: createKeyPair(), bytes })
    const message = fragmentMessage({
      messageId: randomBytes(16),
      replyTo: key.publicKey,
      bytes,
      index: 0,
    })
    holdAt(relays, [...stranger, packetOf(key, message, address)])
    holdAt(relays, packetsOf({ address, key, bytes: bytesOf(20) }))
    await until(() => rig.received.length > 0, 'the message')
    assert.deepEqual(
      rig.received.map(({ bytes }) => bytes.length),
      [20],
    )
    await rig.groups.close()
  })

  it('hands on nothing that it published itself, also after a restart, and tells of its return', async () => {
    const relays = makeFakes(2)
    const store = memoryStore()
    const [address, key, messageId] = [bytesOf(32), createKeyPair(), randomBytes(16)]
    const first = rigOf(relays, { store })
    await (await first.groups.listen(first.group({ keys: [key] }))).caughtUp
    const name = toHex(messageId).slice(2)
    assert.equal(await first.groups.willEcho(new Uint8Array(32), name), false)
    assert.equal(await first.groups.willEcho(address, name), true)
    await first.groups.close()
    const second = rigOf(relays, { store })
    holdAt(relays, packetsOf({ address, key, bytes: bytesOf(2 * PUBLICATION_BYTES), messageId }))
    await (await second.groups.listen(second.group({ keys: [key] }))).caughtUp
    await until(() => second.echoes.length === 2, 'both packets are back')
    assert.deepEqual(new Set(second.echoes), new Set([`${name} 0`, `${name} 1`]))
    assert.equal(second.received.length, 0)
    await second.groups.close()
  })
})

describe('GroupInboxes: epochs', () => {
  it('opens what is sealed for any of six keys, and no more for one that is gone', async () => {
    const relays = makeFakes(2)
    const rig = rigOf(relays)
    const address = bytesOf(32)
    const keys = Array.from({ length: 7 }, () => createKeyPair())
    await (await rig.groups.listen(rig.group({ keys: keys.slice(1) }))).caughtUp
    keys.forEach((key, i) => {
      holdAt(relays, packetsOf({ address, key, bytes: bytesOf(10 + i) }))
    })
    await until(() => rig.received.length === 6, 'six messages')
    rig.groups.rekey('friends', keys.slice(0, 6))
    await until(() => rig.received.length === 7, 'the one that was sealed for a key to come')
    const [last] = keys.slice(-1)
    assert.ok(last)
    holdAt(relays, packetsOf({ address, key: last, bytes: bytesOf(50) }))
    const [newest] = keys
    assert.ok(newest)
    holdAt(relays, packetsOf({ address, key: newest, bytes: bytesOf(60) }))
    await until(() => rig.received.length === 8, 'one more')
    assert.equal(rig.received.at(-1)?.bytes.length, 60)
    await rig.groups.close()
  })

  it('finds what was said after a commit while it was away, among what is for others', async () => {
    const relays = makeFakes(2)
    const rig = rigOf(relays)
    const [address, before, then] = [bytesOf(32), createKeyPair(), createKeyPair()]
    const commit = packetsOf({ address, key: before, bytes: bytesOf(5) })
    const foreign = Array.from({ length: 400 }, () =>
      packetsOf({ address, key: createKeyPair(), bytes: bytesOf(1) }),
    )
    const said = packetsOf({ address, key: then, bytes: bytesOf(3 * PUBLICATION_BYTES) })
    holdAt(relays, [...commit, ...said, ...foreign.flat()])
    const seen: number[] = []
    const handler = async ({ bytes }: PublishedMessage) => {
      if (bytes.length === 5) {
        await wait(100) // what takes long to verify
        rig.groups.rekey('friends', [then, before])
      }
      seen.push(bytes.length)
    }
    await rig.groups.listen(rig.group({ keys: [before], handler }))
    await until(() => seen.length === 2, 'the commit and the message')
    assert.deepEqual(seen, [5, 3 * PUBLICATION_BYTES])
    await rig.groups.close()
  })
})

describe('GroupInboxes: relays and connections', () => {
  it('shares no connection, no relay where there are others, and never asks the entry relay', async () => {
    const relays = makeFakes(7)
    const [entry, own, ownToo] = relays
    assert.ok(entry && own && ownToo)
    for (let seed = 0; seed < 6; seed++) {
      const rig = rigOf(relays, { entry, seed })
      for (const { relay } of [own, ownToo]) rig.personal.add(relay.operator)
      const dials = () => relays.map((relay) => relay.dials)
      const before = dials()
      const one = await rig.groups.listen(rig.group({ id: 'one' }))
      const two = await rig.groups.listen(rig.group({ id: 'two', address: bytesOf(32, 5) }))
      await Promise.all([one.caughtUp, two.caughtUp])
      await until(() => linked(relays).length === 4, 'two relays each')
      const used = dials().map((count, i) => count - (before[i] ?? 0))
      assert.deepEqual(used.slice(0, 3), [0, 0, 0], `seed ${seed}`)
      assert.deepEqual(used.slice(3), [1, 1, 1, 1], `seed ${seed}`)
      await rig.groups.close()
      await until(() => linked(relays).length === 0, 'no link is left')
    }
  })

  it('takes the relays of others, each on a connection of its own, where there are no more', async () => {
    const relays = makeFakes(2)
    const rig = rigOf(relays)
    for (const id of ['one', 'two', 'three']) {
      await (await rig.groups.listen(rig.group({ id }))).caughtUp
    }
    await until(() => relays.every(({ links }) => links === 3), 'three links to each')
    await rig.groups.close()
  })
})

describe('GroupInboxes: restarts', () => {
  it('gets a message again that its handler did not deal with, and not one that it did', async () => {
    const relays = makeFakes(2)
    const store = memoryStore()
    const [address, key] = [bytesOf(32), createKeyPair()]
    const first = rigOf(relays, { store })
    const handler = ({ bytes }: PublishedMessage) => {
      if (bytes.length === 11) throw new RangeError('not now')
    }
    await (await first.groups.listen(first.group({ keys: [key], handler }))).caughtUp
    holdAt(relays, packetsOf({ address, key, bytes: bytesOf(10) }))
    holdAt(relays, packetsOf({ address, key, bytes: bytesOf(11) }))
    await until(() => first.errors.length > 0, 'the handler rejects')
    const done = async () => (await store.list('inbox.friends.done.')).length
    while ((await done()) < 1) await wait(5)
    await first.groups.close()
    const second = rigOf(relays, { store })
    await second.groups.listen(second.group({ keys: [key] }))
    await until(() => second.received.length === 1, 'what was not dealt with')
    await wait(50)
    assert.deepEqual(
      second.received.map(({ bytes }) => bytes.length),
      [11],
    )
    await second.groups.close()
    const third = rigOf(relays, { store })
    await (await third.groups.listen(third.group({ keys: [key] }))).caughtUp
    for (const { wishes, held } of relays) assert.equal(wishes.at(-1)?.cursor, held.length)
    assert.equal(third.received.length, 0)
    await third.groups.close()
  })

  it('leaves nothing of a group behind that it left, not even of a handler at work', async () => {
    const relays = makeFakes(2)
    const rig = rigOf(relays)
    const [address, key] = [bytesOf(32), createKeyPair()]
    const left = Promise.withResolvers<void>()
    const handler = async () => {
      await rig.groups.leave('friends')
      left.resolve()
    }
    await rig.groups.listen(rig.group({ id: 'others', address: bytesOf(32, 7) }))
    await rig.groups.listen(rig.group({ keys: [key], handler }))
    holdAt(relays, packetsOf({ address, key, bytes: bytesOf(10) }))
    await left.promise
    await wait(20)
    assert.deepEqual(await rig.store.list('inbox.friends.'), [])
    assert.notDeepEqual(await rig.store.list('inbox.others.'), [])
    await until(() => relays.every(({ links }) => links === 1), 'the links of the other one stay')
    await rig.groups.leave('friends')
    await rig.groups.close()
  })
})
