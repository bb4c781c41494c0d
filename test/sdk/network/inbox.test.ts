import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import {
  createKeyPair,
  discloseAddress,
  type Hex,
  inboxAddress,
  type KeyPair,
  matchesPrefix,
} from '@mainframe/protocol'
import { systemClock } from '../../../sdk/src/clock.ts'
import type { Directory } from '../../../sdk/src/directory/directory.ts'
import { Completed } from '../../../sdk/src/messages/completed.ts'
import type { ReceivedMessage } from '../../../sdk/src/messages/deliveries.ts'
import type { Parcel } from '../../../sdk/src/messages/parcel.ts'
import {
  FRAGMENT_BYTES,
  fragmentCount,
  fragmentMessage,
} from '../../../sdk/src/messages/payload.ts'
import { personalReceiver } from '../../../sdk/src/messages/personal.ts'
import type { ReassemblyLimits } from '../../../sdk/src/messages/reassembly.ts'
import { Inbox } from '../../../sdk/src/network/inbox.ts'
import { pack } from '../../../sdk/src/network/packing.ts'
import { type ClientOptions, resolveOptions } from '../../../sdk/src/options.ts'
import type { Aside } from '../../../sdk/src/platform/aside.ts'
import { openWebCrypto } from '../../../sdk/src/platform/web-crypto.ts'
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

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 3) % 256)

function makeRelays(count: number): FakeRelay[] {
  const money = fakeMoney()
  return Array.from({ length: count }, (_, i) => new FakeRelay(`r${i}`, money))
}

/** The packets of a message for a key. */
function packetsFor(to: KeyPair, relays: readonly FakeRelay[], bytes: Uint8Array): Uint8Array[] {
  const view = makeView(relays.map(({ relay }) => relay))
  const messageId = randomBytes(16)
  return Array.from({ length: fragmentCount(bytes.length) }, (_, index) => {
    const message = fragmentMessage({ messageId, replyTo: to.publicKey, bytes, index })
    const parcel = { to: to.publicKey, message, holdClass: '1d', hops: 0, delayMs: 0 }
    const packing = { view, hops: [], nowMs: Date.now(), random: systemRandom }
    return pack(parcel as unknown as Parcel, packing).packet
  })
}

interface Rig {
  inbox: Inbox
  keyPair: KeyPair
  received: ReceivedMessage[]
  view: ReturnType<typeof makeView>
  subscribed(): FakeRelay[]
  close(): Promise<void>
}

async function rigOf(
  relays: readonly FakeRelay[],
  options: {
    store?: Store
    keyPair?: KeyPair
    entry?: FakeRelay
    seed?: number
    limits?: ReassemblyLimits
    aside?: Aside
  } = {},
): Promise<Rig> {
  const { store = memoryStore(), keyPair = createKeyPair(), seed = 1 } = options
  const rig = { keyPair, received: [] as ReceivedMessage[] } as unknown as Rig
  rig.view = makeView(relays.map(({ relay }) => relay))
  const receiver = personalReceiver({
    keyPair,
    clock: systemClock,
    random: systemRandom,
    completed: await Completed.open(store, Date.now()),
    ackDelayMs: 0,
    quietMs: 50,
    limits: options.limits,
    acknowledge: () => {},
    onAcknowledgement: () => {},
    onLoop: () => {},
    onRoom: (relays) => void rig.inbox.again(relays),
    onHandlerError: () => {},
  })
  receiver.handle((message) => void rig.received.push(message))
  const network = { rpcUrl: '', deployment, indexers: ['x'] }
  const profile = { ...PROFILES.local, firstWaitMs: 5, restMs: 300, inboxCheckMs: 50 }
  const directory = { fresh: async () => rig.view } as unknown as Directory
  Object.defineProperty(directory, 'view', { get: () => rig.view })
  rig.inbox = new Inbox({
    directory,
    deployment,
    connect: connectTo(relays),
    receiver,
    aside: options.aside,
    store,
    clock: systemClock,
    random: seededRandom(seed),
    settings: { ...resolveOptions({ network } as unknown as ClientOptions), profile },
    address: inboxAddress(keyPair.publicKey),
    entry: () => options.entry?.relay,
    others: () => new Set(),
  })
  rig.subscribed = () => relays.filter(({ links }) => links > 0)
  rig.close = async () => {
    await rig.inbox.close()
    receiver.close()
  }
  await rig.inbox.start()
  return rig
}

describe('Inbox: relays that fail', () => {
  it('replaces a relay that dies, and takes from the new one what it missed', async () => {
    const relays = makeRelays(5)
    const rig = await rigOf(relays)
    await rig.inbox.caughtUp
    const [dead] = rig.subscribed()
    assert.ok(dead)
    dead.kill()
    const packets = packetsFor(rig.keyPair, relays, bytesOf(10))
    for (const relay of relays) for (const packet of packets) relay.hold(packet)
    const live = () => rig.subscribed().filter(({ manners }) => manners.isAlive)
    await until(() => live().length === 2, 'two live subscriptions')
    await until(() => rig.received.length === 1, 'the message, once')
    assert.equal(dead.dials, 3)
    await rig.close()
  })

  it('reconnects to a relay that only dropped the link', async () => {
    const relays = makeRelays(2)
    const rig = await rigOf(relays)
    await rig.inbox.caughtUp
    const [relay] = relays
    assert.ok(relay)
    relay.kill()
    relay.manners.isAlive = true
    await until(() => relay.wishes.length === 2, 'a second wish')
    await rig.close()
  })

  it('goes on trying while no relay answers at all', async () => {
    const relays = makeRelays(3)
    for (const { manners } of relays) manners.isAlive = false
    const rig = await rigOf(relays)
    await wait(100)
    for (const { manners } of relays) manners.isAlive = true
    await rig.inbox.caughtUp
    await rig.close()
  })

  it('never subscribes at the entry relay', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const relays = makeRelays(3)
      const [entry] = relays
      assert.ok(entry)
      const rig = await rigOf(relays, { entry, seed })
      await rig.inbox.caughtUp
      assert.equal(entry.dials, 0)
      await until(() => rig.subscribed().length === 2, 'the two others')
      await rig.close()
    }
  })

  it('tells whoever waits for it when the client closes first', async () => {
    const relays = makeRelays(2)
    for (const { manners } of relays) manners.answers = false
    const rig = await rigOf(relays)
    const waiting = assert.rejects(rig.inbox.caughtUp, { code: 'NETWORK_CLOSED' })
    await rig.close()
    await waiting
  })
})

describe('Inbox: keys that the platform computes', () => {
  it('says that it is up to date when what was held is dealt with, and not before', async () => {
    const aside = (await openWebCrypto()) ?? assert.fail('Node has X25519')
    const relays = makeRelays(2)
    const keyPair = createKeyPair()
    const others = packetsFor(createKeyPair(), relays, bytesOf(150 * FRAGMENT_BYTES))
    const own = packetsFor(keyPair, relays, bytesOf(3 * FRAGMENT_BYTES))
    for (const relay of relays) for (const packet of [...others, ...own]) relay.hold(packet)
    const store = memoryStore()
    const rig = await rigOf(relays, { keyPair, store, aside })
    await rig.inbox.caughtUp
    assert.equal(rig.received.length, 1)
    await rig.close()
    const again = await rigOf(relays, { keyPair, store, aside })
    await again.inbox.caughtUp
    for (const { wishes } of relays) assert.equal(wishes.at(-1)?.cursor, 153)
    await again.close()
  })

  it('resumes at a link that was lost behind what is still being computed', async () => {
    const aside = (await openWebCrypto()) ?? assert.fail('Node has X25519')
    const [relay, other] = makeRelays(2)
    assert.ok(relay && other)
    const gate = Promise.withResolvers<void>()
    const slow = {
      ...aside,
      sha256: (bytes: Uint8Array) => gate.promise.then(() => aside.sha256(bytes)),
    }
    const rig = await rigOf([relay, other], { aside: slow })
    for (const packet of packetsFor(rig.keyPair, [relay], bytesOf(10))) relay.hold(packet)
    await wait(20)
    relay.kill()
    relay.manners.isAlive = true
    gate.resolve()
    await until(() => relay.wishes.length === 2, 'a second wish')
    assert.equal(relay.wishes.at(-1)?.cursor, 1)
    await until(() => rig.received.length === 1, 'the message')
    await rig.close()
  })
})

describe('Inbox: cursors', () => {
  it('delivers a message once that two relays hold, and resumes after it next time', async () => {
    const relays = makeRelays(2)
    const store = memoryStore()
    const keyPair = createKeyPair()
    const others = packetsFor(createKeyPair(), relays, bytesOf(5000))
    const own = packetsFor(keyPair, relays, bytesOf(3 * FRAGMENT_BYTES))
    for (const relay of relays) for (const packet of [...others, ...own]) relay.hold(packet)
    const first = await rigOf(relays, { store, keyPair })
    await first.inbox.caughtUp
    await until(() => first.received.length === 1, 'the message')
    await first.close()
    const second = await rigOf(relays, { store, keyPair })
    await second.inbox.caughtUp
    const held = others.length + own.length
    for (const { wishes } of relays) {
      assert.deepEqual(
        wishes.map(({ cursor }) => cursor),
        [0, held],
      )
    }
    await wait(50)
    assert.equal(second.received.length, 0)
    await second.close()
  })

  it('gets the parts again of a message that was not finished, at the same relays', async () => {
    const relays = makeRelays(2)
    const store = memoryStore()
    const keyPair = createKeyPair()
    const bytes = bytesOf(4 * FRAGMENT_BYTES)
    const [a, b, c, d] = packetsFor(keyPair, relays, bytes)
    const [before, between] = packetsFor(createKeyPair(), relays, bytesOf(2 * FRAGMENT_BYTES))
    assert.ok(a && b && c && d && before && between)
    for (const relay of relays) for (const packet of [before, a, between, b]) relay.hold(packet)
    const first = await rigOf(relays, { store, keyPair })
    await first.inbox.caughtUp
    await wait(50)
    await first.close()
    for (const relay of relays) for (const packet of [c, d]) relay.hold(packet)
    const second = await rigOf(relays, { store, keyPair })
    await until(() => second.received.length === 1, 'the whole message')
    // not 1: the cursor right before a packet would tell that it is ours
    for (const { wishes } of relays) assert.equal(wishes.at(-1)?.cursor, 0)
    assert.deepEqual(second.received[0]?.bytes, bytes)
    await second.close()
  })

  it('loses none of more messages than there is room for, though their senders are gone', async () => {
    const relays = makeRelays(2)
    const keyPair = createKeyPair()
    for (let i = 0; i < 20; i++) {
      const packets = packetsFor(keyPair, relays, bytesOf(10 + i))
      for (const relay of relays) for (const packet of packets) relay.hold(packet)
    }
    const limits = { messages: 3, bytes: 1_000_000, idleMs: 60_000 }
    const rig = await rigOf(relays, { keyPair, limits })
    await until(() => rig.received.length === 20, 'all of them')
    await wait(50)
    assert.equal(new Set(rig.received.map(({ id }) => id)).size, 20)
    assert.equal(rig.received.length, 20)
    await rig.close()
  })

  it('resumes at a link that was lost where it was, whatever is unfinished', async () => {
    const relays = makeRelays(2)
    const keyPair = createKeyPair()
    const [relay] = relays
    const packets = packetsFor(keyPair, relays, bytesOf(2 * FRAGMENT_BYTES))
    const [part] = packets
    const others = packetsFor(createKeyPair(), relays, bytesOf(4 * FRAGMENT_BYTES))
    assert.ok(relay && part)
    for (const packet of [part, ...others]) relay.hold(packet)
    const rig = await rigOf(relays, { keyPair })
    await rig.inbox.caughtUp
    relay.kill()
    relay.manners.isAlive = true
    await until(() => relay.wishes.length === 2, 'a second wish')
    assert.equal(relay.wishes.at(-1)?.cursor, 1 + others.length)
    await rig.close()
  })

  it('keeps its two relays across restarts', async () => {
    const relays = makeRelays(8)
    const store = memoryStore()
    const keyPair = createKeyPair()
    const seen = new Set<Hex>()
    for (let seed = 0; seed < 4; seed++) {
      const rig = await rigOf(relays, { store, keyPair, seed })
      await rig.inbox.caughtUp
      for (const { relay } of rig.inbox.relays) seen.add(relay.nodeId)
      await rig.close()
    }
    assert.equal(seen.size, 2)
  })

  it('stays for a while with relays that hold what came under a longer prefix', async () => {
    const relays = makeRelays(14) // two of them share their first two bits with nobody else
    const sharing = (keyPair: KeyPair) => {
      const address = inboxAddress(keyPair.publicKey)
      return relays.filter(({ relay }) => matchesPrefix(relay.address, address, 2))
    }
    let keyPair = createKeyPair()
    while (sharing(keyPair).length !== 2) keyPair = createKeyPair()
    const store = memoryStore()
    const memory = [{ bits: 2, lastMs: Date.now() - 86_400_000 }]
    await store.set('prefixes', new TextEncoder().encode(JSON.stringify(memory)))
    const rig = await rigOf(relays, { store, keyPair })
    await rig.inbox.caughtUp
    await until(() => rig.subscribed().length === 2, 'two subscriptions')
    assert.deepEqual(new Set(rig.subscribed()), new Set(sharing(keyPair)))
    assert.ok(rig.subscribed().every(({ wishes }) => wishes.every(({ bits }) => bits === 0)))
    await rig.close()
    const stored = new TextDecoder().decode((await store.get('prefixes')) ?? new Uint8Array(0))
    assert.deepEqual(
      (JSON.parse(stored) as typeof memory).map(({ bits }) => bits),
      [2, 0],
    )
  })

  it('discloses only the bits of the network, and asks anew when they change', async () => {
    const relays = makeRelays(4)
    const rig = await rigOf(relays)
    await rig.inbox.caughtUp
    const wishes = () => rig.subscribed().flatMap((relay) => relay.wishes)
    assert.ok(wishes().every(({ bits, prefix }) => bits === 0 && prefix.every((b) => b === 0)))
    const address = inboxAddress(rig.keyPair.publicKey)
    const matching = relays.map(({ relay }) => ({ ...relay, address: address.slice() }))
    rig.view = { ...makeView(matching), luminosity: 2 }
    await until(() => wishes().filter(({ bits }) => bits === 2).length >= 2, 'new wishes')
    const last = wishes().filter(({ bits }) => bits === 2)
    for (const { prefix } of last) assert.deepEqual(prefix, discloseAddress(address, 2))
    await rig.close()
  })
})
