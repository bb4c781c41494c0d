import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  COIN_TOKEN,
  decodeHello,
  decodePacket,
  destinationFee,
  type Hex,
  LINK_VERSION,
  minutesNow,
  openQuote,
  type RelayPrices,
  roundUpExpiry,
  toHex,
} from '@mainframe/protocol'
import {
  createChannel,
  createPayee,
  DOMAIN,
  MEDIUM,
  type Payee,
  type RawPayer,
  voucher,
  WINDOW_UNITS,
} from '../support/payee-world.ts'
import { inboxPacket, PRICES } from '../support/rule-world.ts'

const QUOTE_MS = 20 * 60_000
const COIN = { token: COIN_TOKEN, baseUnitsPerUnit: 350_000n, minDepositBase: 350_000n }
/** A unit of postage costs a millionth. */
const DOLLAR = { token: `0x${'66'.repeat(20)}` as Hex, baseUnitsPerUnit: 1n, minDepositBase: 1n }
const STRANGE = { ...DOLLAR, token: `0x${'99'.repeat(20)}` as Hex }

describe('A relay that takes several media', () => {
  let payee: Payee
  let prices: RelayPrices = PRICES
  let nowMs = Date.now()
  const payers: RawPayer[] = []
  before(async () => {
    payee = await createPayee({
      media: [MEDIUM, COIN, DOLLAR],
      prices: () => prices,
      now: () => nowMs,
    })
  })
  after(() => payee.stop())
  afterEach(async () => {
    prices = PRICES
    for (const payer of payers.splice(0)) payer.abort()
    while (payee.incoming.count > 0) await new Promise((resolve) => setTimeout(resolve, 2))
  })

  async function connect(version = LINK_VERSION): Promise<RawPayer> {
    const payer = await payee.connect()
    payers.push(payer)
    payer.hello({ version })
    return payer
  }

  /** A packet for an inbox, and what this relay asks for it at some prices and the time of the test. */
  function packetFor(asked: RelayPrices): [packet: Uint8Array, postageUnits: number] {
    const minutes = minutesNow(nowMs)
    const packet = inboxPacket('', roundUpExpiry(minutes + 60))
    const header = decodePacket(packet, minutes)
    assert.ok(typeof header === 'object')
    return [packet, destinationFee(asked, header, minutes)]
  }

  it('tells all of them, and a payer of the version before only the first', async () => {
    for (const [version, tokens] of [
      [LINK_VERSION, [MEDIUM, COIN, DOLLAR].map(({ token }) => token)],
      [1, [MEDIUM.token]],
    ] as const) {
      const payer = await connect(version)
      payer.packet(...packetFor(PRICES))
      await payer.refusal()
      const hello = payer.frames.find(({ type }) => type === 'hello')
      const answer = hello && decodeHello(hello.body)
      assert.equal(answer?.version, version)
      const quotes = answer?.signedQuotes.map((signed) => openQuote(signed, payee.nodeKey, DOMAIN))
      assert.deepEqual(
        quotes?.map((quote) => quote && toHex(quote.token)),
        tokens,
      )
    }
  })

  it('refuses a token that it does not accept as wrong terms, and serves nothing for it', async () => {
    const channel = payee.confirm(createChannel(20 * WINDOW_UNITS, STRANGE))
    const payer = await connect()
    payer.credit(voucher(channel, 10_000))
    assert.equal(await payer.verdict(), 'wrong-terms')
    payer.packet(...packetFor(PRICES))
    assert.equal(await payer.refusal(), 'no-credit')
    assert.ok(payee.incoming.credits['wrong-terms'] > 0)
    assert.equal(payee.ledger.earned()[STRANGE.token], undefined)
  })

  it('counts each at its own rate, and never two in one sum', async () => {
    const before = payee.ledger.earned()
    for (const medium of [MEDIUM, COIN, DOLLAR]) {
      const channel = payee.confirm(createChannel(20 * WINDOW_UNITS, medium))
      const payer = await connect()
      payer.credit(voucher(channel, 50_000))
      assert.equal(await payer.verdict(), 'accepted')
      payer.packet(...packetFor(PRICES))
      assert.equal(await payer.refusal(), undefined)
      assert.equal(payer.acks.at(-1)?.durableUnits, 50_000)
      const { token, baseUnitsPerUnit } = medium
      const earned =
        (payee.ledger.earned()[token]?.earnedBase ?? 0n) - (before[token]?.earnedBase ?? 0n)
      assert.equal(earned, 50_000n * baseUnitsPerUnit)
    }
  })

  it('is paid in one on each link: another there is wrong terms and leaves the credit as it is', async () => {
    const [first, second] = [COIN, DOLLAR].map((medium) =>
      payee.confirm(createChannel(20 * WINDOW_UNITS, medium)),
    )
    assert.ok(first && second)
    const payer = await connect()
    payer.credit(voucher(first, 50_000))
    assert.equal(await payer.verdict(), 'accepted')
    payer.credit(voucher(second, 50_000))
    assert.equal(await payer.verdict(), 'wrong-terms')
    payer.packet(...packetFor(PRICES))
    assert.equal(await payer.refusal(), undefined)
    assert.equal(payer.acks.at(-1)?.durableUnits, 50_000)
  })

  it('serves at the quoted price until the quote ends, when its price was raised meanwhile, then at the new one', async () => {
    const channel = payee.confirm(createChannel(20 * WINDOW_UNITS, COIN))
    const payer = await connect()
    payer.credit(voucher(channel, 100_000))
    assert.equal(await payer.verdict(), 'accepted')
    const raised = {
      routeUnits: 3 * PRICES.routeUnits,
      holdUnitsPerHour: 2 * PRICES.holdUnitsPerHour,
    }
    prices = raised
    payer.packet(...packetFor(PRICES))
    assert.equal(await payer.refusal(), undefined, 'prepaid at the quoted price')
    const late = await connect()
    const lateChannel = payee.confirm(createChannel(20 * WINDOW_UNITS, COIN))
    late.credit(voucher(lateChannel, 100_000))
    assert.equal(await late.verdict(), 'accepted')
    late.packet(...packetFor(PRICES))
    assert.equal(
      await late.refusal(),
      'underpaid',
      'a link that begins now is quoted the new price',
    )
    nowMs += QUOTE_MS
    payer.packet(...packetFor(PRICES))
    assert.equal(await payer.refusal(), 'underpaid', 'the quote has ended')
    payer.packet(...packetFor(raised))
    assert.equal(await payer.refusal(), undefined)
    const spent = payer.acks.at(-1)?.spentUnits
    assert.equal(spent, packetFor(PRICES)[1] + packetFor(raised)[1], 'refusals cost nothing')
  })

  it('serves at a price that fell meanwhile, though the quote was higher', async () => {
    const channel = payee.confirm(createChannel(20 * WINDOW_UNITS, DOLLAR))
    const payer = await connect()
    payer.credit(voucher(channel, 100_000))
    await payer.verdict()
    prices = { routeUnits: 10, holdUnitsPerHour: 1 }
    payer.packet(...packetFor(prices))
    assert.equal(await payer.refusal(), undefined)
  })
})
