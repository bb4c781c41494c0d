import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  decodeCredit,
  type Hex,
  MainframeError,
  type PayerChannel,
  type Quote,
  releaseRequest,
} from '@mainframe/protocol'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { PeerLink, type PeerLinkOptions } from '../../../node/src/links/peer-link.ts'
import { until } from '../chain-support.ts'
import {
  createChannel,
  createPayee,
  DOMAIN,
  MEDIUM,
  type Payee,
  SEPARATOR,
  WINDOW_UNITS,
} from '../support/payee-world.ts'
import { PRICES, relay } from '../support/rule-world.ts'

/** What a test's channels do beside giving one. */
type Manners = Partial<PeerLinkOptions['channels']>

describe('The channel of a link to a peer', () => {
  let payee: Payee
  /** The same relay at another rate, and in another medium. */
  let changed: Payee[] = []
  const stop = new AbortController()
  before(async () => {
    const nodeSeed = Uint8Array.from(randomBytes(32))
    payee = await createPayee({ nodeSeed })
    const { token, minDepositBase } = MEDIUM
    const cheaper = { token, minDepositBase, baseUnitsPerUnit: BASE_PER_UNIT / 2n }
    const other = { ...MEDIUM, token: `0x${'99'.repeat(20)}` as Hex }
    changed = await Promise.all(
      [cheaper, other].map((medium) => createPayee({ nodeSeed, media: [medium] })),
    )
  })
  after(async () => {
    stop.abort()
    for (const each of [payee, ...changed]) await each.stop()
  })

  function payerChannel(): PayerChannel {
    const { terms, id, row, secretKey } = payee.confirm(createChannel())
    return {
      terms,
      channelId: id,
      epoch: 1,
      depositBase: row.deposit,
      signedBase: 0n,
      baseUnitsPerUnit: BASE_PER_UNIT,
      windowUnits: WINDOW_UNITS - 1,
      domainSeparator: SEPARATOR,
      signerSecretKey: secretKey,
      record: async () => {},
    }
  }

  /** A link that is served, with what it did to its channel. */
  async function serve(
    channel: PayerChannel,
    manners: Manners,
    { now = () => Date.now(), later = payee } = {},
  ) {
    const seen = { streams: 0, topUps: [] as Quote[], left: 0, troubles: [] as unknown[] }
    const options: PeerLinkOptions = {
      network: {
        open: () => {
          seen.streams += 1
          return seen.streams === 1 ? payee.openStream() : later.openStream()
        },
      },
      channels: {
        ensure: async () => channel,
        topUp: async (_, quote) => {
          seen.topUps.push(quote)
          return channel
        },
        isLow: () => seen.topUps.length === 0,
        leave: () => {
          seen.left += 1
        },
        ...manners,
      },
      router: { onAccepted: () => {}, onRefused: () => {}, onLost: () => {}, onLinkUp: () => {} },
      domain: DOMAIN,
      payWith: [MEDIUM.token],
      boardPrices: () => PRICES,
      onTrouble: (error) => seen.troubles.push(error),
      retryMs: 10,
      now,
    }
    const entry = { ...relay('0'), nodeKey: payee.nodeKey } as RelayEntry
    const link = await PeerLink.open(entry, options, stop.signal)
    const ended = link.serve(stop.signal)
    ended.catch(() => {}) // some tests look at it later
    return { link, ended, seen }
  }

  it('is left, and the link ended, when the peer has let it go already', async () => {
    const channel = payerChannel()
    const wish = decodeCredit(releaseRequest(channel, channel.signerSecretKey))
    assert.equal((await payee.releases.ask(wish ?? assert.fail())).outcome, 'released')
    const { ended, seen } = await serve(channel, {})
    await assert.rejects(ended, { code: 'PAYMENT_UNVERIFIED', message: /closing/ })
    assert.equal(seen.left, 1)
  })

  it('is topped up below the low-water mark while the link goes on', async () => {
    const { link, seen } = await serve(payerChannel(), {})
    await until(() => seen.topUps.length > 0)
    assert.deepEqual([seen.streams, seen.troubles], [1, []])
    assert.ok(link.hadCredit)
    assert.ok(link.channelId)
    await link.close()
  })

  it('serves the link as before when there is no money to top it up', async () => {
    const poor = new MainframeError('PAYMENT_INSUFFICIENT', 'nothing left')
    const { link, ended, seen } = await serve(payerChannel(), { topUp: () => Promise.reject(poor) })
    await until(() => seen.troubles.length > 0)
    assert.deepEqual(seen.troubles, [poor])
    assert.ok(link.canTake(1))
    await link.close()
    await ended
  })

  it('is not topped up on a quote that has expired: another is asked for', async () => {
    let offsetMs = 0
    const channel = payerChannel()
    const gate = Promise.withResolvers<PayerChannel>()
    const now = () => Date.now() + offsetMs
    const { link, seen } = await serve(channel, { ensure: () => gate.promise }, { now })
    offsetMs = 10 ** 7
    gate.resolve(channel)
    await until(() => seen.topUps.length > 0)
    assert.equal(seen.streams, 2)
    await link.close()
  })

  it('is not topped up when the relay has another rate or medium by then, and pays on while it lasts', async () => {
    for (const later of changed) {
      let offsetMs = 0
      const channel = payerChannel()
      const gate = Promise.withResolvers<PayerChannel>()
      const now = () => Date.now() + offsetMs
      const { link, seen } = await serve(channel, { ensure: () => gate.promise }, { now, later })
      offsetMs = 10 ** 7
      gate.resolve(channel)
      await until(() => seen.troubles.length > 0)
      assert.match(String(seen.troubles[0]), /changed its medium or rate/)
      assert.deepEqual([seen.topUps, channel.baseUnitsPerUnit], [[], BASE_PER_UNIT])
      assert.ok(link.canTake(1))
      await link.close()
    }
  })
})
