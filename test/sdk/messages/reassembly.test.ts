import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  decodePayload,
  FRAGMENT_BYTES,
  type Fragment,
  fragmentCount,
  fragmentMessage,
} from '../../../sdk/src/messages/payload.ts'
import {
  addFragment,
  assemble,
  createReassembly,
  expirePartials,
  isComplete,
  type Reassembly,
  removePartial,
} from '../../../sdk/src/messages/reassembly.ts'

const replyTo = new Uint8Array(32).fill(7)

function fragmentsOf(bytes: Uint8Array, messageId = new Uint8Array(16)): Fragment[] {
  return Array.from({ length: fragmentCount(bytes.length) }, (_, index) => {
    const decoded = decodePayload(fragmentMessage({ messageId, replyTo, bytes, index }))
    assert.ok(decoded?.kind === 'data')
    return decoded
  })
}

function add(state: Reassembly, key: string, fragment: Fragment | undefined, nowMs = 0) {
  assert.ok(fragment)
  return addFragment(state, { key, fragment, nowMs })
}

const long = (fragments: number) => new Uint8Array(fragments * FRAGMENT_BYTES).fill(3)

describe('addFragment: within bounds', () => {
  it('takes no fragment that contradicts the others of its message', () => {
    const state = createReassembly()
    const [first, second] = fragmentsOf(long(3))
    add(state, 'a', first)
    assert.ok(second)
    const other = { ...second, count: 4 }
    assert.equal(add(state, 'a', other).outcome, 'inconsistent')
    const foreign = { ...second, replyTo: new Uint8Array(32) }
    assert.equal(add(state, 'a', foreign).outcome, 'inconsistent')
    assert.equal(add(state, 'a', first).outcome, 'duplicate')
    assert.equal(state.partials.get('a')?.arrived, 1)
  })

  it('makes room by giving up the incomplete message that was touched longest ago', () => {
    const state = createReassembly({ messages: 2, bytes: 1e9, idleMs: 1e9 })
    const parts = fragmentsOf(long(3))
    add(state, 'a', parts[0])
    add(state, 'b', parts[0])
    add(state, 'a', parts[1])
    assert.deepEqual(add(state, 'c', parts[0]).evicted, ['b'])
    assert.deepEqual([...state.partials.keys()], ['a', 'c'])
  })

  it('never gives up a complete message, and says so when there is no room left', () => {
    const state = createReassembly({ messages: 1, bytes: 1e9, idleMs: 1 })
    assert.equal(add(state, 'a', fragmentsOf(new Uint8Array(5))[0]).outcome, 'complete')
    assert.equal(add(state, 'b', fragmentsOf(new Uint8Array(5))[0]).outcome, 'full')
    assert.deepEqual(expirePartials(state, 1e9), [])
    removePartial(state, 'a')
    assert.equal(add(state, 'b', fragmentsOf(new Uint8Array(5))[0]).outcome, 'complete')
  })

  it('forgets an incomplete message of which nothing comes any more', () => {
    const state = createReassembly({ messages: 9, bytes: 1e9, idleMs: 1000 })
    const parts = fragmentsOf(long(3))
    add(state, 'a', parts[0], 0)
    add(state, 'b', parts[0], 0)
    add(state, 'b', parts[1], 800)
    assert.deepEqual(expirePartials(state, 1001), ['a'])
    assert.equal(state.bytes, 2 * FRAGMENT_BYTES)
  })

  it('never holds more messages or bytes than it may, whatever comes', () => {
    const pieces = fc.array(fc.tuple(fc.nat(12), fc.nat(9), fc.integer({ min: 1, max: 9 })), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(pieces, (arrivals) => {
        const limits = { messages: 5, bytes: 12 * FRAGMENT_BYTES, idleMs: 1e9 }
        const state = createReassembly(limits)
        for (const [who, index, count] of arrivals) {
          add(state, `${who}-${count}`, fragmentsOf(long(count))[index % count])
          assert.ok(state.partials.size <= limits.messages)
          assert.ok(state.bytes <= limits.bytes)
          const counted = [...state.partials.values()].reduce((sum, { bytes }) => sum + bytes, 0)
          assert.equal(state.bytes, counted)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('addFragment: any order, any loss, any repetition', () => {
  it('gives the very bytes once every fragment has come, and not before', () => {
    const lengths = fc.integer({ min: 0, max: 9 * FRAGMENT_BYTES })
    const order = fc.infiniteStream(fc.nat(1000))
    fc.assert(
      fc.property(lengths, order, (length, stream) => {
        const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) % 256)
        const parts = fragmentsOf(bytes)
        const state = createReassembly()
        const missing = new Set(parts.keys())
        while (missing.size > 0) {
          const index = [...stream.take(1)][0] ?? 0
          const part = parts[index % parts.length]
          const { outcome } = add(state, 'm', part)
          const wasMissing = missing.delete(part?.index ?? -1)
          const expected = missing.size === 0 ? 'complete' : 'stored'
          assert.equal(outcome, wasMissing ? expected : 'duplicate')
          const partial = state.partials.get('m')
          assert.ok(partial)
          assert.equal(isComplete(partial), missing.size === 0)
        }
        const whole = state.partials.get('m')
        assert.ok(whole && Buffer.from(bytes).equals(assemble(whole)))
      }),
      { numRuns: 100 },
    )
  })

  it('keeps messages apart that come mixed', () => {
    const state = createReassembly()
    const texts = ['a', 'b', 'c'].map((key, i) => ({ key, bytes: long(4).fill(i) }))
    for (let index = 3; index >= 0; index--) {
      for (const { key, bytes } of texts) add(state, key, fragmentsOf(bytes)[index])
    }
    for (const { key, bytes } of texts) {
      const partial = state.partials.get(key)
      assert.ok(partial && Buffer.from(bytes).equals(assemble(partial)), key)
    }
  })
})
