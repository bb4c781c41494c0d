import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { encodeFrame, encodeHello, FRAME_BYTES, LINK_VERSION } from '@mainframe/protocol'
import type { Subscriptions } from '../../../node/src/holding/subscriptions.ts'
import { type PayeeHost, PayeeLink } from '../../../node/src/links/payee-link.ts'
import { duplexPair } from '../../protocol/support/duplex.ts'

const CHANNELS = new Uint8Array(20)

/** A relay that refuses every packet. */
function refusing(): PayeeHost & { received: number } {
  const host = {
    received: 0,
    chainId: 7,
    channels: CHANNELS,
    quote: () => new Uint8Array(206),
    ledger: { offer: () => assert.fail('no voucher is sent') },
    receive: () => {
      host.received += 1
      return 'no-credit' as const
    },
    holds: { pendingBytes: 0, flush: async () => {} },
    subscriptions: {} as Subscriptions,
    onCredit: () => {},
    onFault: (fault: string) => assert.fail(fault),
    onFailure: (error: unknown) => assert.fail(String(error)),
  }
  return host
}

describe('A link whose peer sends and does not read', () => {
  it('is not read on, and goes on when the peer reads', async () => {
    const host = refusing()
    const [stream, remote] = duplexPair()
    stream.stalled = true
    const running = new PayeeLink(stream, host).run()
    const hello = { version: LINK_VERSION, chainId: 7, channels: CHANNELS }
    const body = encodeHello({ ...hello, signedQuote: new Uint8Array(0) })
    remote.send(encodeFrame({ type: 'hello', body }))
    let sequence = 0
    const sendSome = async () => {
      for (let i = 0; i < 10; i++)
        remote.send(encodeFrame({ type: 'packet', sequence: ++sequence }))
      await turn()
      await turn()
    }
    while (sequence < 10_000) await sendSome()
    assert.ok(host.received < 3_000, `${host.received} packets were taken in`)
    const told = stream.sends
    assert.ok(told < 20, `${told} writes of at most 32 frames of ${FRAME_BYTES} bytes`)
    stream.resume()
    while (host.received < sequence) await turn()
    assert.ok(stream.sends > told)
    await remote.close()
    await running
  })
})
