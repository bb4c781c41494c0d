import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { compileAlone } from '../../deploy/compile-lock.ts'

describe('compileAlone', () => {
  it('runs one after the other what was begun side by side, failures included', async () => {
    let running = 0
    const compile = async (number: number) => {
      running += 1
      assert.equal(running, 1)
      await sleep(20)
      running -= 1
      if (number === 1) throw new SyntaxError('the sources are wrong')
      return number
    }
    const runs = [0, 1, 2, 3].map((number) => compileAlone(() => compile(number)))
    const results = await Promise.allSettled(runs)
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.name)),
      [0, 'SyntaxError', 2, 3],
    )
  })
})
