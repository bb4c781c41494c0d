import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  buildOnion,
  createKeyPair,
  HEADER_BYTES,
  type KeyPair,
  minutesNow,
  roundUpExpiry,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { Completed } from '../../../sdk/src/messages/completed.ts'
import { groupReceiver } from '../../../sdk/src/messages/group.ts'
import { createIntake, MOST_UNDER_WAY, type PacketTaker } from '../../../sdk/src/messages/intake.ts'
import { Keyring } from '../../../sdk/src/messages/keyring.ts'
import {
  PUBLICATION_BYTES,
  publicationCount,
  publicationMessage,
} from '../../../sdk/src/messages/payload.ts'
import type { Aside } from '../../../sdk/src/platform/aside.ts'
import { openWebCrypto } from '../../../sdk/src/platform/web-crypto.ts'
import { randomBytes } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { seededRandom } from '../support/seeded-random.ts'

const KEYS = Array.from({ length: 3 }, () => createKeyPair())
const [FIRST, SECOND, LAST] = KEYS as [KeyPair, KeyPair, KeyPair]
const clock = fakeClock()
const now = minutesNow(clock.now())

/** The packets of a message for a key; so many pieces as it takes. */
function packetsFor(to: KeyPair, bytes = randomBytes(9), expiryMinutes = now + 60): Uint8Array[] {
  const header = { luminosity: 0, address: new Uint8Array(32) }
  const messageId = randomBytes(16)
  return Array.from({ length: publicationCount(bytes.length) }, (_, index) =>
    buildOnion({
      header: { ...header, expiryMinutes: roundUpExpiry(expiryMinutes) },
      publicKey: to.publicKey,
      instruction: publicationMessage({ messageId, bytes, index }),
      hops: [],
      nowMinutes: now - 600,
    }),
  )
}

const packetFor = (to: KeyPair) => packetsFor(to)[0] ?? assert.fail('one packet')

function changed(packet: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  const copy = packet.slice()
  copy.set(bytes, at)
  return copy
}

/** Whatever a relay may deliver. */
const deliveries: readonly Uint8Array[] = [
  packetFor(FIRST),
  packetFor(LAST),
  ...packetsFor(SECOND, randomBytes(3 * PUBLICATION_BYTES)).slice(1),
  ...Array.from({ length: 3 }, () => packetFor(createKeyPair())),
  ...packetsFor(FIRST, randomBytes(9), now - 120), // expired
  changed(packetFor(FIRST), 300, [1, 2, 3, 4]), // ours, and damaged
  changed(packetFor(FIRST), 0, [9]), // of no version that there is
  changed(packetFor(FIRST), HEADER_BYTES, new Array(32).fill(0)), // a point of low order
  packetFor(FIRST).subarray(0, HEADER_BYTES + 10), // no whole key
  new Uint8Array(0),
]

async function rigOf(aside?: Aside) {
  const keyring = new Keyring(KEYS)
  const receiver = groupReceiver({
    keyring,
    clock,
    completed: await Completed.open(memoryStore(), clock.now()),
    onEcho: () => {},
    onRoom: () => {},
    onHandlerError: () => {},
  })
  const outcomes: string[] = []
  const taker: PacketTaker = {
    keyring,
    knows: (id) => receiver.knows(id),
    get unopened() {
      return receiver.unopened
    },
    tryAgain: (added, agreed) => {
      receiver.tryAgain(added, agreed)
      outcomes.push('tried again')
    },
    resumeAt: (relay) => receiver.resumeAt(relay),
    restartAt: (relay) => receiver.restartAt(relay),
    receive: (packet, relay, cursor, prepared) => {
      const outcome = receiver.receive(packet, relay, cursor, prepared)
      outcomes.push(`${relay} ${cursor} ${outcome}`)
      return outcome
    },
  }
  const intake = createIntake(taker, aside)
  const done = () => new Promise<void>((resolve) => intake.after(resolve))
  return { keyring, receiver, outcomes, intake, done }
}

/** The same answers, in an order that the seed decides. */
function scrambled(aside: Aside, seed: number): Aside {
  const random = seededRandom(seed)
  const late = async <T>(answer: Promise<T>): Promise<T> => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await turn()
    return answer
  }
  return {
    x25519: (own, theirs) => late(aside.x25519(own, theirs)),
    sha256: (bytes) => late(aside.sha256(bytes)),
  }
}

describe('Packets whose keys are computed aside', () => {
  let aside: Aside
  before(async () => {
    aside = (await openWebCrypto()) ?? assert.fail('Node has X25519')
  })

  it('come to nothing when the inbox is closed meanwhile, and no cursor passes them', async () => {
    const { intake, outcomes, receiver, done } = await rigOf(aside)
    for (const [i, packet] of deliveries.entries()) intake.take(packet, 'relay', i + 1)
    intake.close()
    intake.take(packetFor(FIRST), 'relay', 99)
    await done()
    assert.deepEqual(outcomes, [])
    assert.equal(receiver.resumeAt('relay'), undefined)
  })

  it('are opened all the same when the platform fails', async () => {
    const failures: Aside[] = [
      { ...aside, sha256: () => Promise.reject(new TypeError('no')) },
      { ...aside, x25519: async () => undefined },
    ]
    for (const failing of failures) {
      const { intake, outcomes, done } = await rigOf(failing)
      for (const packet of [packetFor(LAST), packetFor(createKeyPair())]) {
        intake.take(packet, 'relay', outcomes.length + 1)
        await done()
      }
      assert.deepEqual(outcomes, ['relay 1 complete', 'relay 2 unopened'])
    }
  })

  it('make whoever delivers wait when there are many, until half of them are dealt with', async () => {
    const gate = Promise.withResolvers<void>()
    const slow = {
      ...aside,
      sha256: (bytes: Uint8Array) => gate.promise.then(() => aside.sha256(bytes)),
    }
    const { intake, outcomes, done } = await rigOf(slow)
    const packet = packetFor(createKeyPair())
    for (let cursor = 1; cursor < MOST_UNDER_WAY; cursor++) intake.take(packet, 'relay', cursor)
    assert.equal(intake.whenRoom(), undefined)
    intake.take(packet, 'relay', MOST_UNDER_WAY)
    const room = intake.whenRoom()
    assert.ok(room)
    gate.resolve()
    await room
    assert.ok(outcomes.length > MOST_UNDER_WAY / 2, `${outcomes.length} are dealt with`)
    await done()
    assert.equal(intake.whenRoom(), undefined)
  })

  it('let nobody wait who delivers to an inbox that is closed', async () => {
    const never: Aside = { ...aside, sha256: () => new Promise(() => {}) }
    const { intake } = await rigOf(never)
    for (let i = 1; i <= MOST_UNDER_WAY; i++) intake.take(packetFor(FIRST), 'relay', i)
    const room = intake.whenRoom()
    intake.close()
    await room
  })

  it('cost one key each, however many relays deliver them at a time', async () => {
    let count = 0
    const counting: Aside = {
      ...aside,
      x25519: (...keys) => {
        count += 1
        return aside.x25519(...keys)
      },
    }
    const { intake, outcomes, done } = await rigOf(counting)
    const packet = packetFor(FIRST)
    for (const relay of ['a', 'b', 'c']) intake.take(packet, relay, 7)
    await done()
    assert.deepEqual(outcomes, ['a 7 complete', 'b 7 seen', 'c 7 seen'])
    assert.equal(count, KEYS.length)
  })

  it('are opened by keys that come while they are under way', async () => {
    const { intake, outcomes, keyring, receiver, done } = await rigOf(aside)
    const next = createKeyPair()
    for (const key of [next, FIRST, LAST]) intake.take(packetFor(key), 'relay', 1)
    const added = keyring.replace([next, FIRST])
    assert.ok(added)
    intake.tryAgain(added)
    await done()
    const expected = ['relay 1 complete', 'relay 1 complete', 'relay 1 unopened', 'tried again']
    assert.deepEqual(outcomes, expected)
    assert.equal(receiver.unopened.length, 1)
  })

  it('are opened by keys that come later, before those that come after the keys', async () => {
    const { intake, outcomes, keyring, receiver, done } = await rigOf(aside)
    const next = createKeyPair()
    const message = randomBytes(3 * PUBLICATION_BYTES)
    const [early, ...late] = packetsFor(next, message)
    assert.ok(early)
    for (const packet of [packetFor(createKeyPair()), early]) intake.take(packet, 'relay', 1_024)
    await done()
    assert.equal(receiver.unopened.length, 2)
    const added = keyring.replace([next, ...KEYS])
    assert.ok(added)
    intake.tryAgain(added)
    for (const [i, packet] of late.entries()) intake.take(packet, 'relay', 2_048 + i)
    await done()
    assert.deepEqual(outcomes.slice(2), [
      'tried again',
      ...late.slice(1).map((_, i) => `relay ${2_048 + i} stored`),
      `relay ${2_047 + late.length} complete`,
    ])
    assert.equal(receiver.unopened.length, 1)
  })

  it('are not tried again when the inbox is closed meanwhile', async () => {
    const { intake, outcomes, keyring, done } = await rigOf(aside)
    intake.take(packetFor(createKeyPair()), 'relay', 1)
    await done()
    const added = keyring.replace([createKeyPair()])
    assert.ok(added)
    intake.tryAgain(added)
    intake.close()
    await done()
    assert.deepEqual(outcomes, ['relay 1 unopened'])
  })

  it('have the outcomes of those that are computed at once, in the order of their arrival', async () => {
    const arrival = fc.record({ packet: fc.nat(deliveries.length - 1), relay: fc.nat(2) })
    const seeds = fc.integer()
    const stream = fc.array(arrival, { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(stream, seeds, async (arrivals, seed) => {
        const straight = await rigOf()
        const prepared = await rigOf(scrambled(aside, seed))
        for (const [i, { packet, relay }] of arrivals.entries()) {
          for (const { intake } of [straight, prepared]) {
            intake.take(deliveries[packet] ?? assert.fail(), `relay${relay}`, i + 1)
          }
          if (i % 7 === 0) await turn()
        }
        await prepared.done()
        assert.deepEqual(prepared.outcomes, straight.outcomes)
        for (const relay of ['relay0', 'relay1', 'relay2']) {
          assert.equal(prepared.receiver.resumeAt(relay), straight.receiver.resumeAt(relay))
          assert.equal(prepared.receiver.restartAt(relay), straight.receiver.restartAt(relay))
        }
      }),
      { numRuns: 40 },
    )
  })
})
