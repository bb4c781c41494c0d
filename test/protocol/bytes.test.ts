import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  equalBytes,
  exactBytes,
  fromHex,
  readU64,
  toHex,
  viewOf,
  writeU64,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { bytesUpTo, units } from './support/arbitraries.ts'

describe('hex', () => {
  it('refuses odd digits, other characters, a missing prefix and another length', () => {
    for (const text of ['', '00', '0x0', '0xzz', '0x 0', '0X00', '0x00 ', '0x0g']) {
      assert.throws(() => fromHex(text), { code: 'CODEC_INVALID' }, text)
    }
    assert.throws(() => fromHex('0x0011', 3), { code: 'CODEC_INVALID' })
    assert.throws(() => fromHex('0x', 1), { code: 'CODEC_INVALID' })
  })

  it('round trips, upper case included', () => {
    fc.assert(
      fc.property(bytesUpTo(70), (data) => {
        const hex = toHex(data)
        assert.equal(hex, `0x${Buffer.from(data).toString('hex')}`)
        assert.deepEqual(fromHex(hex, data.length), data)
        assert.deepEqual(fromHex(`0x${hex.slice(2).toUpperCase()}`), data)
      }),
    )
  })

  it('has no length that is too much', () => {
    const data = new Uint8Array(2 ** 20 + 1).map((_, i) => i)
    assert.deepEqual(fromHex(toHex(data)), data)
  })

  it('refuses every character that is no digit, at either place', () => {
    const digits = '0123456789abcdefABCDEF'
    for (let code = 0; code < 0x3_00; code++) {
      const character = String.fromCharCode(code)
      for (const hex of [`0x${character}0`, `0x0${character}`]) {
        if (digits.includes(character)) assert.equal(toHex(fromHex(hex)), hex.toLowerCase())
        else assert.throws(() => fromHex(hex), { code: 'CODEC_INVALID' }, hex)
      }
    }
  })
})

describe('numbers', () => {
  it('u64 round trips below 2^53 and reads nothing above', () => {
    const view = new DataView(new ArrayBuffer(8))
    fc.assert(
      fc.property(units(), (value) => {
        writeU64(view, 0, value)
        assert.equal(readU64(view, 0), value)
        assert.equal(view.getBigUint64(0), BigInt(value))
      }),
    )
    view.setBigUint64(0, 2n ** 53n)
    assert.equal(readU64(view, 0), undefined)
    view.setBigUint64(0, 2n ** 64n - 1n)
    assert.equal(readU64(view, 0), undefined)
  })

  it('bigints round trip in the bytes they fit, and are refused in fewer', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 128n }), (value) => {
        assert.equal(bytesToBigint(bigintToBytes(value, 17)), value)
      }),
    )
    for (const [value, length] of [
      [1n << 32n, 5],
      [(1n << 96n) - 1n, 12],
      [0n, 0],
    ] as const) {
      const hex = value
        .toString(16)
        .padStart(2 * length, '0')
        .slice(0, 2 * length)
      assert.equal(toHex(bigintToBytes(value, length)), `0x${hex}`)
    }
    assert.equal(bytesToBigint(new Uint8Array(0)), 0n)
    assert.throws(() => bigintToBytes(256n, 1), { code: 'CODEC_INVALID' })
    assert.throws(() => bigintToBytes(-1n, 4), { code: 'CODEC_INVALID' })
  })
})

describe('byte strings', () => {
  it('join, compare, view and measure', () => {
    const joined = concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))
    assert.deepEqual(joined, Uint8Array.of(1, 2, 3))
    assert.equal(equalBytes(joined, Uint8Array.of(1, 2, 3)), true)
    assert.equal(equalBytes(joined, Uint8Array.of(1, 2)), false)
    assert.equal(equalBytes(joined, Uint8Array.of(1, 2, 4)), false)
    assert.equal(viewOf(joined.subarray(1)).getUint16(0), 0x0203)
    assert.equal(exactBytes(joined, 3), joined)
    assert.throws(() => exactBytes(joined, 4), { code: 'CODEC_INVALID' })
  })
})
