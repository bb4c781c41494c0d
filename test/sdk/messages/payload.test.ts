import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MESSAGE_PAYLOAD_BYTES, type Message } from '@mainframe/protocol'
import fc from 'fast-check'
import { createBitmap, hasBit, isFull, setBit } from '../../../sdk/src/messages/bitmap.ts'
import {
  acknowledgementMessage,
  decodePayload,
  FRAGMENT_BYTES,
  fragmentCount,
  fragmentMessage,
  MAX_FRAGMENTS,
  MAX_MESSAGE_BYTES,
} from '../../../sdk/src/messages/payload.ts'

const id = (byte: number) => new Uint8Array(16).fill(byte)
const key = new Uint8Array(32).fill(9)
const message = (payload: Uint8Array, index = 0, count = 1): Message => ({
  kind: 'message',
  messageId: id(1),
  index,
  count,
  payload,
})

describe('decodePayload', () => {
  it('never throws, whatever stands in a MESSAGE', () => {
    const payloads = fc.uint8Array({ maxLength: MESSAGE_PAYLOAD_BYTES })
    fc.assert(
      fc.property(payloads, fc.nat(3), fc.nat(70_000), fc.nat(1), (payload, kind, index, more) => {
        if (payload.length > 1) payload.set([1, kind])
        const decoded = decodePayload(message(payload, index, index + 1 + more))
        if (decoded?.kind === 'data') assert.ok(decoded.bytes.length <= FRAGMENT_BYTES)
        if (decoded?.kind === 'acknowledgement') assert.ok(decoded.count <= MAX_FRAGMENTS)
      }),
      { numRuns: 2000 },
    )
  })

  const fragment = (bytes: number, at: { index: number; count: number }) => {
    const payload = new Uint8Array(34 + bytes)
    payload.set([1, 0])
    return decodePayload(message(payload, at.index, at.count))
  }
  for (const [what, decoded] of [
    ['an unknown version', decodePayload(message(Uint8Array.of(2, 0, ...key)))],
    ['an unknown kind', decodePayload(message(Uint8Array.of(1, 2, ...key)))],
    ['a fragment without a whole head', decodePayload(message(Uint8Array.of(1, 0, 3)))],
    ['a short fragment that is not the last', fragment(10, { index: 0, count: 2 })],
    ['an empty last fragment', fragment(0, { index: 1, count: 2 })],
    ['more fragments than 1 MiB has', fragment(1, { index: 0, count: MAX_FRAGMENTS + 1 })],
    [
      'a last fragment that ends past 1 MiB',
      fragment(FRAGMENT_BYTES, { index: MAX_FRAGMENTS - 1, count: MAX_FRAGMENTS }),
    ],
  ] as const) {
    it(`refuses ${what}`, () => assert.equal(decoded, undefined))
  }

  it('refuses acknowledgements whose bitmap has another size, or bits past the count', () => {
    const acknowledge = (count: number, received: Uint8Array) =>
      decodePayload(acknowledgementMessage({ messageId: id(2), count, received }, id(3)))
    assert.equal(acknowledge(9, new Uint8Array(1)), undefined)
    assert.equal(acknowledge(8, new Uint8Array(2)), undefined)
    assert.equal(acknowledge(0, new Uint8Array(0)), undefined)
    assert.equal(acknowledge(9, Uint8Array.of(255, 0b0100_0000)), undefined)
    assert.ok(acknowledge(9, Uint8Array.of(255, 0b1000_0000)))
    assert.equal(acknowledge(MAX_FRAGMENTS + 1, createBitmap(MAX_FRAGMENTS + 1)), undefined)
  })
})

describe('fragmentMessage', () => {
  it('refuses a message over 1 MiB by name, and says how much is allowed', () => {
    const bytes = new Uint8Array(MAX_MESSAGE_BYTES + 1)
    assert.throws(() => fragmentMessage({ messageId: id(1), replyTo: key, bytes, index: 0 }), {
      code: 'MESSAGE_TOO_LONG',
      message: /1048577 bytes.*1048576.*in parts/,
    })
  })

  it('gives fragments that decode to the bytes in order, at every length', () => {
    const lengths = [0, 1, FRAGMENT_BYTES - 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 10_000]
    for (const length of [...lengths, MAX_MESSAGE_BYTES]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i % 251)
      const count = fragmentCount(length)
      const parts = Array.from({ length: count }, (_, index) =>
        decodePayload(fragmentMessage({ messageId: id(1), replyTo: key, bytes, index })),
      )
      const joined = Buffer.concat(
        parts.map((part) => (part?.kind === 'data' ? part.bytes : new Uint8Array())),
      )
      assert.ok(joined.equals(bytes), `${length} bytes`)
      for (const part of parts) assert.deepEqual(part?.kind === 'data' && part.replyTo, key)
    }
    assert.equal(fragmentCount(MAX_MESSAGE_BYTES), MAX_FRAGMENTS)
  })
})

describe('acknowledgementMessage', () => {
  it('carries exactly the fragments that were received', () => {
    const counts = fc.integer({ min: 1, max: MAX_FRAGMENTS })
    fc.assert(
      fc.property(counts, fc.infiniteStream(fc.boolean()), (count, stream) => {
        const wanted = [...stream.take(count)]
        const received = createBitmap(count)
        wanted.forEach((has, index) => {
          if (has) setBit(received, index)
        })
        const sent = acknowledgementMessage({ messageId: id(4), count, received }, id(5))
        assert.deepEqual(sent.messageId, id(5))
        const decoded = decodePayload(sent)
        assert.ok(decoded?.kind === 'acknowledgement')
        assert.deepEqual(decoded.messageId, id(4))
        assert.deepEqual(
          wanted.map((_, index) => hasBit(decoded.received, index)),
          wanted,
        )
        assert.equal(isFull(decoded.received, count), !wanted.includes(false))
      }),
      { numRuns: 200 },
    )
  })
})
