import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { epochOf, findEpochBlock, type TimedBlock } from '@mainframe/protocol'
import fc from 'fast-check'

/** Blocks whose times the gaps between them make; how many headers were asked for is counted. */
function chainOf(gaps: readonly number[]) {
  let time = 1_000_000
  const blocks = gaps.map((gap, number): TimedBlock => {
    time += gap
    return { number, time }
  })
  let asked = 0
  const header = async (number: number) => {
    asked += 1
    return blocks[number] ?? assert.fail(`there is no block ${number}`)
  }
  return { blocks, header, asked: () => asked }
}

describe('the block of an epoch', () => {
  it('is the first of its epoch, whichever of its blocks is the newest', async () => {
    const gaps = fc.array(fc.nat(30), { minLength: 1, maxLength: 60 })
    const property = fc.asyncProperty(
      gaps,
      fc.integer({ min: 1, max: 50 }),
      async (list, length) => {
        const { blocks, header } = chainOf(list)
        for (const newest of blocks) {
          const found = await findEpochBlock({ from: 0, newest, epochSeconds: length, header })
          const epoch = epochOf(newest.time, length)
          assert.equal(
            found,
            blocks.find(({ time }) => epochOf(time, length) === epoch),
          )
        }
      },
    )
    await fc.assert(property)
  })

  it('is not looked for before the deployment', async () => {
    const { blocks, header } = chainOf([0, 1, 1, 1, 1])
    const newest = blocks[4] ?? assert.fail()
    const found = await findEpochBlock({ from: 2, newest, epochSeconds: 1_000, header })
    assert.equal(found.number, 2)
    assert.equal(await findEpochBlock({ from: 9, newest, epochSeconds: 1_000, header }), newest)
  })

  it('is found in a long chain by a few headers', async () => {
    const { blocks, header, asked } = chainOf(Array.from({ length: 100_000 }, () => 12))
    const newest = blocks.at(-1) ?? assert.fail()
    await findEpochBlock({ from: 0, newest, epochSeconds: 86_400, header })
    assert.ok(asked() <= 17, `${asked()}`)
  })
})
