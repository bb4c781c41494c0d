/** Binary forms: what is not exactly right is nothing, and nothing throws. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorCode, utf8 } from '@mainframe/protocol'
import {
  decodeFloor,
  decodeGroupData,
  decodeWelcome,
  decodeWelcomeData,
  encodeFloor,
  encodeGroupData,
  encodeWelcome,
  encodeWelcomeData,
} from '../../../sdk/src/conversations/group-data.ts'
import { MAX_HEADS, MAX_LAMPORT } from '../../../sdk/src/conversations/limits.ts'
import { decodeMessage, isSigned, signMessage } from '../../../sdk/src/conversations/message.ts'
import {
  decodePayload,
  encodePayload,
  type Payload,
} from '../../../sdk/src/conversations/payloads.ts'
import {
  decodeWire,
  encodeWire,
  MAX_WIRE_BYTES,
  SIZE_UNIT,
  sizeClass,
} from '../../../sdk/src/conversations/wire.ts'
import { newcomer, trustingMls } from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

const CASES = Number(
  process.env['FUZZ_CASES'] ?? (process.env['LONG_TESTS'] === '1' ? 10_000 : 1000),
)
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)
const ref = (digit: string, lamport: number) => ({ id: digit.repeat(32), lamport })

const PAYLOADS: Payload[] = [
  { kind: 'message', bytes: utf8('signed elsewhere') },
  {
    kind: 'sync',
    wantsAnswer: true,
    statement: { heads: [ref('a', 5)], lacking: [ref('b', 2 ** 40)], isCut: false },
  },
  { kind: 'ask', refs: [ref('c', 1), ref('d', MAX_LAMPORT)] },
  { kind: 'give', messages: [utf8('one'), utf8('two')] },
  { kind: 'request', id: 'e'.repeat(32), wish: { op: 'leave' } },
  {
    kind: 'request',
    id: 'e'.repeat(32),
    wish: { op: 'role', role: 'admin', inboxKey: new Uint8Array(32).fill(1) },
  },
  { kind: 'request', id: 'f'.repeat(32), wish: { op: 'remove', inboxKey: new Uint8Array(32) } },
  {
    kind: 'request',
    id: 'f'.repeat(32),
    wish: { op: 'add', role: 'member', keyPackage: utf8('key package') },
  },
  { kind: 'whisper', type: 7, body: utf8('typing') },
]

describe('payloads', () => {
  it('are refused when they are cut, longer, unknown, or beyond a limit', () => {
    assert.equal(decodePayload(new Uint8Array()), undefined)
    assert.equal(decodePayload(Uint8Array.of(99, 1, 2)), undefined)
    for (const payload of PAYLOADS.slice(1, 7)) {
      const bytes = encodePayload(payload)
      assert.equal(decodePayload(Uint8Array.of(...bytes, 0)), undefined, payload.kind)
      assert.equal(decodePayload(bytes.subarray(0, -1)), undefined, payload.kind)
    }
    const heads = Array.from({ length: MAX_HEADS + 1 }, (_, i) => ref('a', i + 1))
    const statement = { heads, lacking: [], isCut: false }
    const sync = encodePayload({ kind: 'sync', wantsAnswer: false, statement })
    assert.equal(decodePayload(sync), undefined)
    assert.equal(
      decodePayload(encodePayload({ kind: 'whisper', type: 1, body: new Uint8Array(4097) })),
      undefined,
    )
  })

  it('come back as they were', () => {
    for (const payload of PAYLOADS) assert.deepEqual(decodePayload(encodePayload(payload)), payload)
  })

  it(`are a payload or nothing, whatever the bytes are (${CASES} cases)`, () => {
    const random = seededRandom(SEED)
    let nothing = 0
    for (let i = 0; i < CASES; i++) {
      const model = encodePayload(PAYLOADS[i % PAYLOADS.length] ?? { kind: 'ask', refs: [] })
      const bytes = model.slice(0, 1 + Math.floor(random() * model.length))
      for (let j = 0; j < 3; j++) bytes[Math.floor(random() * bytes.length)] = random() * 256
      const payload = decodePayload(bytes)
      // Whatever is accepted says exactly what its bytes say.
      if (payload) assert.deepEqual(encodePayload(payload), bytes, `FUZZ_SEED=${SEED}, case ${i}`)
      else nothing++
    }
    assert.ok(nothing > CASES / 4)
  })
})

describe('the wire form', () => {
  it('refuses other versions, kinds, lengths and paddings', () => {
    const good = encodeWire(utf8('body'))
    for (const at of [0, 1, 2, good.length - 1]) {
      const bad = good.slice()
      bad[at] = (bad[at] ?? 0) ^ 0xff
      assert.equal(decodeWire(bad), undefined, `byte ${at}`)
    }
    assert.equal(decodeWire(new Uint8Array()), undefined)
    assert.equal(decodeWire(new Uint8Array(MAX_WIRE_BYTES + 1)), undefined)
    assert.deepEqual(decodeWire(good), utf8('body'))
  })

  it('refuses what is longer than 1 MiB, with a hint', () => {
    assert.throws(
      () => sizeClass(MAX_WIRE_BYTES + 1),
      (error) => errorCode(error) === 'MESSAGE_TOO_LONG',
    )
  })

  it('has few sizes, each at most a half more than is needed', () => {
    const sizes = new Set<number>()
    for (let length = 1; length <= MAX_WIRE_BYTES; length += 509) {
      const size = sizeClass(length)
      const needed = Math.ceil(length / SIZE_UNIT) * SIZE_UNIT
      assert.ok(size >= length && size <= needed * 1.5, `${length} in ${size}`)
      sizes.add(size)
    }
    assert.ok(sizes.size <= 30, `${sizes.size} sizes`)
  })
})

describe('group data, welcomes and floors', () => {
  it('refuses admins out of order or twice, and wrong lengths', () => {
    const [low, high] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const good = encodeGroupData({ address: new Uint8Array(32), admins: [high, low] })
    assert.deepEqual(decodeGroupData(good)?.admins, [low, high])
    const twice = encodeGroupData({ address: new Uint8Array(32), admins: [low, low] })
    assert.equal(decodeGroupData(twice), undefined)
    assert.equal(decodeGroupData(good.subarray(0, -1)), undefined)
    assert.equal(decodeGroupData(Uint8Array.of(2, ...good.subarray(1))), undefined)
    assert.equal(decodeFloor(encodeFloor(5).subarray(1)), undefined)
    assert.equal(decodeFloor(encodeFloor(5)), 5)
  })

  it('reads welcomes as they were written, and nothing else', () => {
    const former = [{ inboxKey: new Uint8Array(32).fill(3), signatureKey: new Uint8Array(32) }]
    const data = encodeWelcomeData({ floor: 9, former })
    assert.deepEqual(decodeWelcomeData(data), { floor: 9, former })
    assert.equal(decodeWelcomeData(data.subarray(0, -1)), undefined)
    const commit = { sealFor: new Uint8Array(32).fill(7), bytes: utf8('commit') }
    const carried = { commit, welcome: utf8('welcome') }
    assert.deepEqual(decodeWelcome(encodeWelcome(carried)), carried)
    assert.equal(decodeWelcome(new Uint8Array(3)), undefined)
  })
})

describe('a signed message', () => {
  const conversationId = new Uint8Array(16).fill(9)
  const unsigned = {
    salt: new Uint8Array(16).fill(1),
    lamport: 3,
    epochId: 'ab'.repeat(16),
    isComplete: true,
    kind: 0,
    parents: [ref('a', 2)],
    body: utf8('text'),
  }

  it('is nothing when cut, of another conversation, or changed', async () => {
    const mls = await trustingMls()
    const { identity } = await newcomer(mls)
    const message = await signMessage(mls, identity, conversationId, unsigned)
    assert.deepEqual(decodeMessage(conversationId, message.bytes), message)
    assert.equal(await isSigned(mls, conversationId, message, identity.signatureKey), true)
    assert.equal(await isSigned(mls, new Uint8Array(16), message, identity.signatureKey), false)
    assert.equal(decodeMessage(conversationId, message.bytes.subarray(0, 100)), undefined)
    for (let at = 0; at < message.bytes.length; at++) {
      const bytes = message.bytes.slice()
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const changed = decodeMessage(conversationId, bytes)
      const fits = changed && (await isSigned(mls, conversationId, changed, identity.signatureKey))
      assert.ok(!fits, `byte ${at}`)
    }
  })

  it('keeps its id when it is sent again, and nobody else can have that id', async () => {
    const mls = await trustingMls()
    const [one, two] = [await newcomer(mls), await newcomer(mls)]
    const first = await signMessage(mls, one.identity, conversationId, unsigned)
    const again = { ...unsigned, lamport: 8, epochId: 'cd'.repeat(16) }
    assert.equal((await signMessage(mls, one.identity, conversationId, again)).id, first.id)
    assert.notEqual((await signMessage(mls, two.identity, conversationId, unsigned)).id, first.id)
    const other = { ...unsigned, body: utf8('other') }
    assert.notEqual((await signMessage(mls, one.identity, conversationId, other)).id, first.id)
  })
})
