import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FRAME_BYTES } from '@mainframe/protocol'
import { createPayee, RawPayer } from '../support/payee-world.ts'

describe('Links of peers that do not go', () => {
  it('are cut off when the relay stops, whether or not they read what it says', async () => {
    const payee = await createPayee()
    const silent = await payee.openStream()
    silent.send(new Uint8Array(FRAME_BYTES - 1)) // half a frame, and never the other
    const polite = new RawPayer(await payee.openStream()) // reads the BYE and stays
    polite.hello()
    while (payee.incoming.count < 2 || polite.frames.length === 0) await sleep(5)
    const stopping = payee.incoming.stop().then(() => 'stopped')
    const limit = sleep(6_000, 'still there', { ref: false })
    const outcome = await Promise.race([stopping, limit])
    silent.abort(new Error('the test is over'))
    polite.abort()
    await payee.stop()
    assert.equal(outcome, 'stopped')
    assert.equal(payee.incoming.count, 0)
  })
})
