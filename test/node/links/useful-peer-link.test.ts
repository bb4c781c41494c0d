import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  minutesNow,
  type PayerChannel,
  roundUpExpiry,
  toHex,
} from '@mainframe/protocol'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { PeerLink } from '../../../node/src/links/peer-link.ts'
import {
  createChannel,
  createPayee,
  DOMAIN,
  type Payee,
  SEPARATOR,
  TOKEN,
  WINDOW_UNITS,
} from '../support/payee-world.ts'
import { inboxPacket, PRICES, relay } from '../support/rule-world.ts'

describe('The use of a link to a peer', () => {
  let payee: Payee
  before(async () => {
    payee = await createPayee()
  })
  after(() => payee.stop())

  /** A served link that has credit, and its end. */
  async function openLink(): Promise<{ link: PeerLink; served: Promise<void> }> {
    const { terms, id, row, secretKey } = payee.confirm(createChannel())
    const channel: PayerChannel = {
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
    const isUp = Promise.withResolvers<void>()
    const entry = { ...relay('0'), nodeKey: payee.nodeKey } as RelayEntry
    const { signal } = new AbortController()
    const link = await PeerLink.open(
      entry,
      {
        network: { open: () => payee.openStream() },
        channels: {
          ensure: async () => channel,
          topUp: async () => channel,
          isLow: () => false,
          leave: () => {},
        },
        router: {
          onAccepted: () => {},
          onRefused: () => {},
          onLost: () => {},
          onLinkUp: () => isUp.resolve(),
        },
        domain: DOMAIN,
        payWith: [toHex(TOKEN)],
        boardPrices: () => PRICES,
        retryMs: 10,
      },
      signal,
    )
    const served = link.serve(signal)
    await isUp.promise
    return { link, served }
  }

  it('was of use when the peer took a packet', async () => {
    const { link, served } = await openLink()
    const packet = inboxPacket('', roundUpExpiry(minutesNow() + 60))
    const errand = { kind: 'copy', owed: {} } as never
    assert.ok(link.ship({ packet, postageUnits: 10_000, level: 256, errand }))
    while (payee.holds.count === 0) await new Promise((resolve) => setImmediate(resolve))
    while (!link.wasUseful) await new Promise((resolve) => setImmediate(resolve))
    await link.close()
    await served
  })

  it('was of none when the peer gave credit and hung up', async () => {
    const { link, served } = await openLink()
    await payee.incoming.stop()
    await served
    assert.equal(link.hadCredit, true)
    assert.equal(link.wasUseful, false)
  })
})
