import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Once } from '../../../sdk/src/messenger/once.ts'

describe('what is opened once', () => {
  it('is opened again after it failed, by whoever asks next', async () => {
    const once = new Once<string>()
    const failing = () => Promise.reject(new Error('The disk is full'))
    await assert.rejects(once.get(failing), /full/)
    assert.equal(await once.get(async () => 'open'), 'open')
    assert.equal(await once.current(), 'open')
  })

  it('is the same for all who ask meanwhile', async () => {
    const once = new Once<object>()
    const [first, second] = [once.get(async () => ({})), once.get(async () => ({}))]
    assert.equal(await first, await second)
  })

  it('is not there before, and not after it failed', async () => {
    const once = new Once<string>()
    assert.equal(await once.current(), undefined)
    const opening = once.get(() => Promise.reject(new Error('The disk is full')))
    assert.equal(await once.current(), undefined)
    await assert.rejects(opening)
  })
})
