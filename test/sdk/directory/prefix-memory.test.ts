import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  longestPrefix,
  notePrefix,
  type PrefixMemory,
  readPrefixMemory,
} from '../../../sdk/src/directory/prefix-memory.ts'

const DAY_MS = 86_400_000
const note = (days: readonly [day: number, bits: number][], memory: PrefixMemory = []) =>
  days.reduce((known, [day, bits]) => notePrefix(known, bits, day * DAY_MS), memory)

describe('The memory of prefixes', () => {
  it('knows nothing of a network that it never saw', () => {
    assert.equal(longestPrefix([]), 0)
    assert.equal(readPrefixMemory([{ bits: 1 }]), undefined)
  })

  it('keeps a longer prefix for 14 days after the luminosity fell, from when it last was so', () => {
    const fell = note([
      [0, 3],
      [1, 3],
      [2, 2],
    ])
    assert.equal(longestPrefix(fell), 3)
    assert.equal(longestPrefix(note([[15, 2]], fell)), 3)
    assert.equal(longestPrefix(note([[15.1, 2]], fell)), 2)
  })

  it('falls step by step as the network did, and forgets at a rise', () => {
    const fell = note([
      [0, 3],
      [5, 2],
      [6, 1],
    ])
    assert.deepEqual(
      fell.map(({ bits }) => bits),
      [3, 2, 1],
    )
    assert.equal(longestPrefix(note([[16, 1]], fell)), 2)
    assert.equal(note([[7, 4]], fell).length, 1)
  })

  it('does not outlive a clock that was ahead', () => {
    const ahead = note([[1_000, 3]])
    assert.equal(
      longestPrefix(
        note(
          [
            [0, 2],
            [20, 2],
          ],
          ahead,
        ),
      ),
      2,
    )
  })

  it('is read as it was written', () => {
    const memory = note([
      [0, 3],
      [5, 2],
    ])
    assert.deepEqual(readPrefixMemory(JSON.parse(JSON.stringify(memory))), memory)
  })
})
