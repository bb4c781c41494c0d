import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  decodeFrame,
  encodeFrame,
  FRAME_BYTES,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameType,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { noise, noiseOf, units } from './support/arbitraries.ts'

const TYPES: readonly FrameType[] = [
  'hello',
  'credit',
  'packet',
  'ack',
  'subscribe',
  'deliver',
  'bye',
  'release',
]
const frame = encodeFrame({ type: 'packet', sequence: 7, postageUnits: 9, level: 256, flags: 3 })
const withByte = (offset: number, value: number) => {
  const changed = frame.slice()
  changed[offset] = value
  return changed
}

describe('decodeFrame: refusals', () => {
  it('any other length', () => {
    for (const length of [0, 1, 32, FRAME_BYTES - 1, FRAME_BYTES + 1, 2 * FRAME_BYTES]) {
      assert.equal(decodeFrame(new Uint8Array(length).fill(1, 0, 1)), undefined)
    }
  })

  it('unknown types, levels past 256, reserved bytes, and numbers from 2^53 on', () => {
    for (const type of [0, 9, 10, 128, 255]) assert.equal(decodeFrame(withByte(0, type)), undefined)
    assert.equal(decodeFrame(withByte(3, 1)), undefined, 'level 257')
    assert.equal(decodeFrame(withByte(2, 2)), undefined, 'level 512')
    for (const offset of [4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]) {
      for (const value of [1, 0x80]) {
        assert.equal(decodeFrame(withByte(offset, value)), undefined, `reserved ${offset}`)
      }
    }
    assert.equal(decodeFrame(withByte(9, 0x20)), undefined, 'sequence')
    assert.equal(decodeFrame(withByte(17, 0x20)), undefined, 'postage')
  })

  it('answers a frame or undefined for any bytes, 20,000 of them', () => {
    let frames = 0
    for (let seed = 0; seed < 20_000; seed++) {
      const garbage = new Uint8Array(FRAME_BYTES)
      garbage.set(noiseOf(seed, FRAME_HEADER_BYTES))
      // Half of them are noise; the others have a chance to be frames.
      if (seed % 2) garbage.fill(0, 1 + (seed % 31), FRAME_HEADER_BYTES)
      if (seed % 4 === 1) garbage[0] = 1 + (seed % 8)
      const decoded = decodeFrame(garbage)
      if (!decoded) continue
      frames += 1
      assert.deepEqual(encodeFrame(decoded), garbage, `seed ${seed}`)
    }
    assert.ok(frames > 100, `only ${frames} frames among them`)
  })
})

describe('encodeFrame', () => {
  it('refuses a body that is too long', () => {
    assert.throws(() => encodeFrame({ type: 'ack', body: new Uint8Array(2049) }), {
      code: 'VALIDATION_FAILED',
    })
  })

  it('numbers the types from 1, and puts the fields where PROTOCOL.md has them', () => {
    assert.deepEqual(
      TYPES.map((type) => encodeFrame({ type })[0]),
      [1, 2, 3, 4, 5, 6, 7, 8],
    )
    const head = Array.from(frame.subarray(0, FRAME_HEADER_BYTES))
    const zeros = (n: number) => new Array<number>(n).fill(0)
    const expected = [3, 3, 1, 0, ...zeros(4), ...zeros(7), 7, ...zeros(7), 9, ...zeros(8)]
    assert.deepEqual(head, expected)
  })

  it('round trips, and fills a short body up with zeros', () => {
    const anyFrame = fc.record(
      {
        type: fc.constantFrom(...TYPES),
        flags: fc.nat(255),
        level: fc.nat(256),
        sequence: units(),
        postageUnits: units(),
        body: fc.nat(2048).chain((length) => noise(length)),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(anyFrame, (any: Frame) => {
        const encoded = encodeFrame(any)
        assert.equal(encoded.length, FRAME_BYTES)
        const body = new Uint8Array(2048)
        body.set(any.body)
        assert.deepEqual(decodeFrame(encoded), { ...any, body })
      }),
    )
  })
})
