import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeSchedule, encodeSchedule } from '@mainframe/protocol'
import fc from 'fast-check'

const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })

describe('a price schedule', () => {
  it('reads what is above its fields as nothing', () => {
    const schedule = decodeSchedule(2n ** 256n - 2n ** 241n)
    assert.deepEqual(schedule, { price: 0n, next: 0n, nextFrom: 0, unit: 0, active: false })
  })

  it('has each field where the contract has it', () => {
    const word = 5n | (6n << 96n) | (7n << 192n) | (8n << 232n) | (1n << 240n)
    const schedule = { price: 5n, next: 6n, nextFrom: 7, unit: 8, active: true }
    assert.deepEqual(decodeSchedule(word), schedule)
    assert.equal(encodeSchedule(schedule), word)
  })

  it('comes back from its word, and a word from its schedule', () => {
    fc.assert(
      fc.property(uint(241), (word) => {
        assert.equal(encodeSchedule(decodeSchedule(word)), word)
      }),
    )
  })
})
