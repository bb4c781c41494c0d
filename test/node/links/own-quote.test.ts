import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  COIN_TOKEN,
  type Hex,
  nodeKeyOf,
  openQuote,
  toHex,
} from '@mainframe/protocol'
import { createQuoter, type QuotingSelf } from '../../../node/src/links/own-quote.ts'

const PAYEE = new Uint8Array(20).fill(1)
const PRICES = { routeUnits: 1_000, holdUnitsPerHour: 50 }
const SEED = new Uint8Array(32).fill(3)
const DOMAIN = { chainId: 7n, contract: new Uint8Array(20) }
const MFT: Hex = `0x${'77'.repeat(20)}`
const MEDIA = [
  { token: MFT, baseUnitsPerUnit: BASE_PER_UNIT, minDepositBase: 1n },
  { token: COIN_TOKEN, baseUnitsPerUnit: 300n, minDepositBase: 2n },
]
const RATES = new Map([
  [MFT, BASE_PER_UNIT],
  [COIN_TOKEN, 300n],
])
const SELF = { nodeId: new Uint8Array(32), payee: PAYEE, prices: PRICES, rates: RATES }

function quoterOf(self: () => QuotingSelf | undefined, now = () => 0) {
  return createQuoter({
    nodeSeed: SEED,
    domain: DOMAIN,
    payee: PAYEE,
    media: MEDIA,
    maxWindowUnits: 1_000,
    noticeSeconds: 3_600,
    confirmations: 2,
    self,
    now,
  })
}

/** The quotes as their payer reads them. */
function read(quotes: ReturnType<ReturnType<typeof quoterOf>>) {
  return quotes?.signed.map((signed) => openQuote(signed, nodeKeyOf(SEED), DOMAIN))
}

describe('the quotes of a relay', () => {
  it('are not given before there are prices, nor for a payee whose vouchers are not taken here', () => {
    const quotesOf = (self: QuotingSelf | undefined) => quoterOf(() => self)()
    assert.equal(quotesOf(undefined), undefined)
    assert.equal(quotesOf({ ...SELF, prices: undefined }), undefined)
    assert.equal(quotesOf({ ...SELF, payee: new Uint8Array(20).fill(2) }), undefined)
    assert.equal(quotesOf({ ...SELF, rates: new Map() }), undefined)
    assert.equal(quotesOf(SELF)?.signed.length, 2)
  })

  it('are one for each medium, at its rate and with its deposit', () => {
    const [inMft, inCoin] = read(quoterOf(() => SELF)()) ?? []
    assert.deepEqual(
      [inMft, inCoin].map((quote) => [
        quote && toHex(quote.token),
        quote?.baseUnitsPerUnit,
        quote?.minDepositBase,
        quote?.routeUnits,
      ]),
      [
        [MFT, BASE_PER_UNIT, 1n, 1_000],
        [COIN_TOKEN, 300n, 2n, 1_000],
      ],
    )
  })

  it('leave a medium out whose rate is above what the board says, until it says so', () => {
    let rates: ReadonlyMap<Hex, bigint> = new Map([...RATES, [COIN_TOKEN, 299n]])
    const quotes = quoterOf(() => ({ ...SELF, rates }))
    assert.deepEqual(
      read(quotes())?.map((quote) => quote && toHex(quote.token)),
      [MFT],
    )
    rates = RATES
    assert.equal(quotes()?.signed.length, 2)
  })

  it('are signed anew when prices change, and when half of their time is over', () => {
    let [prices, nowMs] = [PRICES, 1_000_000]
    const quotes = quoterOf(
      () => ({ ...SELF, prices }),
      () => nowMs,
    )
    const first = quotes()
    assert.equal(first?.expiresAtSeconds, 1_000 + 20 * 60)
    nowMs += 10 * 60_000 - 1
    assert.equal(quotes(), first)
    nowMs += 1
    const second = quotes()
    assert.equal(second?.expiresAtSeconds, 1_600 + 20 * 60)
    prices = { ...PRICES, routeUnits: 900 }
    assert.equal(read(quotes())?.[1]?.routeUnits, 900)
  })
})
