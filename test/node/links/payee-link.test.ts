import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  encodeFrame,
  encodeHello,
  encodeSubscribe,
  FRAME_BYTES,
  LINK_VERSION,
} from '@mainframe/protocol'
import type { Subscriptions } from '../../../node/src/holding/subscriptions.ts'
import { type PayeeHost, PayeeLink } from '../../../node/src/links/payee-link.ts'
import { duplexPair, type TestStream } from '../../protocol/support/duplex.ts'
import { PRICES } from '../support/rule-world.ts'

const CHANNELS = new Uint8Array(20)

/** A relay that refuses every packet. */
function refusing(): PayeeHost & { received: number } {
  const host = {
    received: 0,
    chainId: 7,
    channels: CHANNELS,
    quotes: () => ({ signed: [new Uint8Array(206)], prices: PRICES, expiresAtSeconds: 0 }),
    ledger: { offer: () => assert.fail('no voucher is sent') },
    releases: { ask: () => assert.fail('no release is asked for') },
    receive: () => {
      host.received += 1
      return 'no-credit' as const
    },
    holds: { pendingBytes: 0, flush: async () => {} },
    subscriptions: {} as Subscriptions,
    onCredit: () => {},
    onRelease: () => {},
    onFault: (fault: string) => assert.fail(fault),
    onFailure: (error: unknown) => assert.fail(String(error)),
  }
  return host
}

function sayHello(remote: TestStream): void {
  const hello = { version: LINK_VERSION, chainId: 7, channels: CHANNELS }
  const body = encodeHello({ ...hello, signedQuotes: [] })
  remote.send(encodeFrame({ type: 'hello', body }))
}

const settle = async () => {
  for (let i = 0; i < 20; i++) await turn()
}

describe('A link that nobody uses', () => {
  const MINUTE = 60_000
  /** A greeted link under a clock of its own, and the faults that were counted. */
  async function greeted(host: Partial<PayeeHost> = {}) {
    const [stream, remote] = duplexPair()
    const faults: string[] = []
    const onFault = (fault: string) => faults.push(fault)
    const running = new PayeeLink(stream, { ...refusing(), onFault, ...host }).run()
    sayHello(remote)
    await settle()
    return { remote, running, faults }
  }

  it('is ended ten minutes after HELLO, even if unpaid packets come', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { remote, running, faults } = await greeted()
    t.mock.timers.tick(9 * MINUTE)
    remote.send(encodeFrame({ type: 'packet', sequence: 1 }))
    await settle()
    assert.deepEqual(faults, [])
    t.mock.timers.tick(MINUTE)
    await running
    assert.deepEqual(faults, ['unused'])
  })

  it('is not one that subscribed, or was paid, however quiet it is', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const subscriptions = { add: () => ({}), remove: () => {} } as unknown as Subscriptions
    const account = { durableUnits: 1, spentUnits: 0, boundTo: undefined }
    const offer = async () => ({ outcome: 'accepted' as const, account })
    const ledger = { offer } as unknown as PayeeHost['ledger']
    const subscribed = await greeted({ subscriptions })
    const wish = { bits: 0, prefix: new Uint8Array(32), cursor: 0 }
    subscribed.remote.send(encodeFrame({ type: 'subscribe', body: encodeSubscribe(wish) }))
    const paid = await greeted({ ledger })
    const body = new Uint8Array(2048) // decodes; the ledger above takes anything
    paid.remote.send(encodeFrame({ type: 'credit', sequence: 1, body }))
    await settle()
    t.mock.timers.tick(1_000 * MINUTE)
    await settle()
    assert.deepEqual([subscribed.faults, paid.faults], [[], []])
    for (const { remote, running } of [subscribed, paid]) {
      await remote.close()
      await running
    }
  })
})

describe('A link whose peer sends and does not read', () => {
  it('is not read on, and goes on when the peer reads', async () => {
    const host = refusing()
    const [stream, remote] = duplexPair()
    stream.stalled = true
    const running = new PayeeLink(stream, host).run()
    sayHello(remote)
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
