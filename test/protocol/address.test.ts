import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  compareDistance,
  discloseAddress,
  equalBytes,
  inboxAddress,
  matchesPrefix,
  relayAddress,
  sharedBits,
  toHex,
} from '@mainframe/protocol'
import { concat, keccak256 } from 'ethers'
import fc from 'fast-check'
import { bytes } from './support/arbitraries.ts'

/** Bits as a string of 256 characters: slow, and right by inspection. */
const bitsOf = (address: Uint8Array) =>
  [...address].map((byte) => byte.toString(2).padStart(8, '0')).join('')

/** Two addresses that share some bits more often than chance would have it. */
const relatives = fc
  .tuple(bytes(32), bytes(32), fc.integer({ min: 0, max: 256 }))
  .map(([a, b, shared]) => {
    const bits = bitsOf(a).slice(0, shared) + bitsOf(b).slice(shared)
    const twin = Array.from({ length: 32 }, (_, i) =>
      Number.parseInt(bits.slice(8 * i, 8 * i + 8), 2),
    )
    return [a, Uint8Array.from(twin)] as const
  })

const xor = (a: Uint8Array, b: Uint8Array) => a.map((byte, i) => byte ^ (b[i] ?? 0))

describe('sharedBits and matchesPrefix', () => {
  it('count leading bits as a comparison of bit strings does', () => {
    fc.assert(
      fc.property(relatives, fc.integer({ min: 0, max: 256 }), ([a, b], bits) => {
        const [left, right] = [bitsOf(a), bitsOf(b)]
        const differs = [...left].findIndex((bit, i) => bit !== right[i])
        assert.equal(sharedBits(a, b), differs === -1 ? 256 : differs)
        assert.equal(matchesPrefix(a, b, bits), left.slice(0, bits) === right.slice(0, bits))
      }),
      { numRuns: 500 },
    )
  })

  it('everything matches zero bits, only itself matches 256', () => {
    const [zero, last] = [new Uint8Array(32), new Uint8Array(32)]
    last[31] = 1
    assert.ok(matchesPrefix(zero, last, 0))
    assert.ok(matchesPrefix(zero, last, 255))
    assert.ok(!matchesPrefix(zero, last, 256))
    assert.ok(matchesPrefix(zero, zero, 256))
  })
})

describe('discloseAddress', () => {
  it('keeps the first bits, zeroes the others, and leaves its input alone', () => {
    fc.assert(
      fc.property(bytes(32), fc.integer({ min: 0, max: 256 }), (address, bits) => {
        const before = address.slice()
        const expected = bitsOf(address).slice(0, bits).padEnd(256, '0')
        assert.equal(bitsOf(discloseAddress(address, bits)), expected)
        assert.ok(equalBytes(address, before))
      }),
    )
  })
})

describe('compareDistance', () => {
  it('orders by the XOR with the target as a number', () => {
    fc.assert(
      fc.property(bytes(32), relatives, (target, [a, b]) => {
        const [left, right] = [toHex(xor(target, a)), toHex(xor(target, b))]
        const expected = left === right ? 0 : left < right ? -1 : 1
        assert.equal(Math.sign(compareDistance(target, a, b)), expected)
      }),
      { numRuns: 500 },
    )
  })

  it('is a strict order: antisymmetric, transitive, and equal only for the same address', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), relatives, (target, c, [a, b]) => {
        assert.equal(
          Math.sign(compareDistance(target, a, b)),
          -Math.sign(compareDistance(target, b, a)) + 0,
        )
        assert.equal(compareDistance(target, a, b) === 0, equalBytes(a, b))
        const sorted = [a, b, c].toSorted((x, y) => compareDistance(target, x, y))
        const [first = a, second = b, third = c] = sorted
        assert.ok(compareDistance(target, first, second) <= 0)
        assert.ok(compareDistance(target, second, third) <= 0)
        assert.ok(compareDistance(target, first, third) <= 0)
      }),
    )
  })
})

describe('derived addresses', () => {
  it("a relay's is keccak256(nodeId ‖ block hash), an inbox's BLAKE2b-256 of its key", () => {
    const [nodeId, seed] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    assert.equal(toHex(relayAddress(nodeId, seed)), keccak256(concat([nodeId, seed])))
    assert.equal(
      toHex(inboxAddress(new Uint8Array(32))),
      '0x89eb0d6a8a691dae2cd15ed0369931ce0a949ecafa5c3f93f8121833646e15c3',
    )
  })
})
