import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { benchBundle } from '../../bench/sdk/bundle.ts'
import { benchGroupSend } from '../../bench/sdk/group.ts'

const TEXT = 'x'.repeat(200)

describe('The client', () => {
  it('takes one packet for a short text in a group of 20', async () => {
    const { packets, sendMs } = await benchGroupSend(20, TEXT)
    assert.equal(packets, 1)
    assert.ok(sendMs > 0)
  })

  it('takes more for a long one', async () => {
    const { packets } = await benchGroupSend(2, 'x'.repeat(10_000))
    assert.ok(packets > 5, `${packets} packets`)
  })

  it('is fetched in at most 150 kB, of which the messenger is not fetched first', async () => {
    const { bundleKbGz, bundleStartKbGz } = await benchBundle()
    assert.ok(bundleKbGz <= 150, `${bundleKbGz} kB`)
    assert.ok(bundleStartKbGz > 20 && bundleStartKbGz < bundleKbGz - 20, `${bundleStartKbGz} kB`)
  })
})
