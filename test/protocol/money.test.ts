import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  baseToUnits,
  countableUnits,
  formatMft,
  parseMft,
  priceToUnits,
  unitsToBase,
} from '@mainframe/protocol'
import { formatUnits, parseUnits } from 'ethers'
import fc from 'fast-check'
import { units } from './support/arbitraries.ts'

const amount = fc.bigInt({ min: 0n, max: (1n << 96n) - 1n })
const rate = fc.bigInt({ min: 1n, max: 1n << 64n })

describe('parseMft', () => {
  it('refuses what is not an amount', () => {
    const bad = [
      '',
      '.',
      '1.',
      '.5',
      '-1',
      '+1',
      '1e3',
      '1,5',
      ' 1',
      '0x1',
      '1.0000000000000000001',
    ]
    for (const text of [...bad, '9'.repeat(31), 'MFT', '١']) {
      assert.throws(() => parseMft(text), { code: 'VALIDATION_FAILED' }, text)
    }
  })

  it('reads what formatMft writes, and agrees with ethers', () => {
    fc.assert(
      fc.property(amount, (base) => {
        const text = formatMft(base)
        assert.equal(parseMft(text), base)
        assert.equal(parseUnits(text, 18), base)
        assert.equal(text, formatUnits(base, 18).replace(/\.0$/, ''))
      }),
    )
    assert.equal(formatMft(-1_500_000_000_000_000_000n), '-1.5')
    assert.equal(parseMft('007.50'), 7_500_000_000_000_000_000n)
  })
})

describe('units and base units', () => {
  it('one unit is 10^-9 MFT', () => {
    assert.equal(unitsToBase(1), BASE_PER_UNIT)
    assert.equal(unitsToBase(10 ** 9), parseMft('1'))
  })

  it('amounts round down, prices up, and whole units are exact at any rate', () => {
    fc.assert(
      fc.property(
        units(),
        rate,
        fc.bigInt({ min: 0n, max: 1n << 64n }),
        (count, perUnit, extra) => {
          const base = unitsToBase(count, perUnit)
          const rest = extra % perUnit
          assert.equal(baseToUnits(base + rest, perUnit), count)
          if (count < Number.MAX_SAFE_INTEGER) {
            assert.equal(priceToUnits(base + rest, perUnit), rest === 0n ? count : count + 1)
          }
        },
      ),
    )
  })

  it('refuse what is past 2^53 units, and negative amounts', () => {
    const most = unitsToBase(Number.MAX_SAFE_INTEGER)
    assert.equal(baseToUnits(most), Number.MAX_SAFE_INTEGER)
    assert.throws(() => baseToUnits(most + BASE_PER_UNIT), { code: 'VALIDATION_FAILED' })
    assert.throws(() => priceToUnits(most + 1n), { code: 'VALIDATION_FAILED' })
    assert.throws(() => baseToUnits(-BASE_PER_UNIT), { code: 'VALIDATION_FAILED' })
    assert.equal(countableUnits(most, BASE_PER_UNIT), Number.MAX_SAFE_INTEGER)
    assert.equal(countableUnits(most - BASE_PER_UNIT, BASE_PER_UNIT), Number.MAX_SAFE_INTEGER - 1)
    assert.equal(countableUnits(2n ** 96n, 1n), Number.MAX_SAFE_INTEGER)
  })
})
