import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  CONTENT_BYTES,
  decodeInstruction,
  encodeInstruction,
  type Forward,
  type Instruction,
  LEAF_CONTENT_BYTES,
  MAX_DELAY_MS,
  MESSAGE_PAYLOAD_BYTES,
  type Message,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { bytes, bytesUpTo, noise, units } from './support/arbitraries.ts'

const forward: Forward = {
  kind: 'forward',
  delayMs: 1000,
  postageUnits: 5,
  inner: new Uint8Array(1694).fill(3),
}
const message: Message = {
  kind: 'message',
  messageId: new Uint8Array(16).fill(4),
  index: 1,
  count: 3,
  payload: new Uint8Array(100).fill(5),
}

/** The content of an instruction with some bytes replaced. */
function tampered(instruction: Instruction, offset: number, ...values: number[]): Uint8Array {
  const content = encodeInstruction(instruction)
  content.set(values, offset)
  return content
}

describe('decodeInstruction: refusals', () => {
  it('refuses reserved codes and every other size', () => {
    for (let code = 3; code < 256; code++) {
      const content = new Uint8Array(LEAF_CONTENT_BYTES)
      content[0] = code
      assert.equal(decodeInstruction(content), undefined)
    }
    for (const length of [0, 1, 13, 1588, 1590, 1706, 1826, 1944, 2048]) {
      for (const code of [0, 1, 2]) {
        assert.equal(decodeInstruction(new Uint8Array(length).fill(code, 0, 1)), undefined)
      }
    }
  })

  it('refuses a DROP or MESSAGE of the size of a FORWARD, and the reverse', () => {
    for (const size of CONTENT_BYTES) {
      for (const code of [0, 1, 2]) {
        const content = new Uint8Array(size)
        content[0] = code
        content[12] = 1 // postage of a FORWARD
        content[20] = 1 // count of a MESSAGE
        const fits = (code === 1) !== (size === LEAF_CONTENT_BYTES)
        assert.equal(decodeInstruction(content) !== undefined, fits, `code ${code}, ${size} bytes`)
      }
    }
  })

  it('refuses a delay past five minutes, no postage, and postage from 2^53 on', () => {
    assert.ok(decodeInstruction(tampered(forward, 1, 0, 4, 0x93, 0xe0)))
    assert.equal(decodeInstruction(tampered(forward, 1, 0, 4, 0x93, 0xe1)), undefined)
    assert.equal(decodeInstruction(tampered(forward, 5, 0, 0, 0, 0, 0, 0, 0, 0)), undefined)
    assert.ok(decodeInstruction(tampered(forward, 5, 0, 0x1f, 255, 255, 255, 255, 255, 255)))
    assert.equal(decodeInstruction(tampered(forward, 5, 0, 0x20, 0, 0, 0, 0, 0, 0)), undefined)
  })

  it('refuses a fragment past its count, no fragments at all, and a length past the room', () => {
    assert.equal(decodeInstruction(tampered(message, 17, 0, 3)), undefined)
    assert.equal(decodeInstruction(tampered(message, 17, 0, 0, 0, 0)), undefined)
    assert.ok(decodeInstruction(tampered(message, 21, 0x06, 0x1e)))
    assert.equal(decodeInstruction(tampered(message, 21, 0x06, 0x1f)), undefined)
  })

  it('gives an instruction or undefined for any bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CONTENT_BYTES).chain((size) => noise(size)),
        fc.constantFrom(0, 1, 2, 3),
        (content, code) => {
          content[0] = code
          const instruction = decodeInstruction(content)
          if (instruction) {
            const again = decodeInstruction(encodeInstruction(instruction))
            assert.deepEqual(again, instruction)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('encodeInstruction', () => {
  const refused: [string, Instruction][] = [
    ['a negative delay', { ...forward, delayMs: -1 }],
    ['a delay past five minutes', { ...forward, delayMs: MAX_DELAY_MS + 1 }],
    ['half a millisecond', { ...forward, delayMs: 0.5 }],
    ['no postage', { ...forward, postageUnits: 0 }],
    ['postage past 2^53', { ...forward, postageUnits: 2 ** 53 }],
    ['half a unit', { ...forward, postageUnits: 1.5 }],
    ['an inner layer of another size', { ...forward, inner: new Uint8Array(1693) }],
    ['a whole inner packet', { ...forward, inner: new Uint8Array(2048) }],
    ['a fourth FORWARD', { ...forward, inner: new Uint8Array(1943 + 105) }],
    [
      'a payload that is too long',
      { ...message, payload: new Uint8Array(MESSAGE_PAYLOAD_BYTES + 1) },
    ],
    ['a message id of 15 bytes', { ...message, messageId: new Uint8Array(15) }],
    ['an index at its count', { ...message, index: 3 }],
    ['a count past 65535', { ...message, count: 65_536 }],
    ['no fragments', { ...message, index: 0, count: 0 }],
    ['half an index', { ...message, index: 0.5 }],
    ['half a count', { ...message, count: 2.5 }],
  ]
  for (const [what, instruction] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => encodeInstruction(instruction), { code: 'VALIDATION_FAILED' })
    })
  }

  it('round trips every MESSAGE in 1589 bytes, zero filled', () => {
    const anyMessage = fc
      .record({
        messageId: bytes(16),
        count: fc.integer({ min: 1, max: 0xffff }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        payload: bytesUpTo(MESSAGE_PAYLOAD_BYTES),
      })
      .map(({ at, ...rest }): Message => {
        const index = Math.min(rest.count - 1, Math.floor(at * rest.count))
        return { kind: 'message', index, ...rest }
      })
    fc.assert(
      fc.property(anyMessage, (instruction) => {
        const content = encodeInstruction(instruction)
        assert.equal(content.length, LEAF_CONTENT_BYTES)
        assert.ok(content.subarray(23 + instruction.payload.length).every((byte) => byte === 0))
        assert.deepEqual(decodeInstruction(content), instruction)
      }),
    )
  })

  it('round trips every FORWARD in one of three sizes', () => {
    const anyForward = fc.record(
      {
        kind: fc.constant('forward' as const),
        delayMs: fc.integer({ min: 0, max: MAX_DELAY_MS }),
        postageUnits: units(1),
        inner: fc.constantFrom(1694, 1812, 1930).chain((size) => noise(size)),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(anyForward, (instruction) => {
        const content = encodeInstruction(instruction)
        assert.equal(content.length, instruction.inner.length + 13)
        assert.deepEqual(decodeInstruction(content), instruction)
      }),
      { numRuns: 50 },
    )
  })

  it('a DROP is 1589 zeros', () => {
    const content = encodeInstruction({ kind: 'drop' })
    assert.deepEqual(content, new Uint8Array(LEAF_CONTENT_BYTES))
    assert.deepEqual(decodeInstruction(content), { kind: 'drop' })
  })
})
