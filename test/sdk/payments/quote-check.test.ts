import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  decodeHello,
  encodeHello,
  fromHex,
  LINK_VERSION,
  type Quote,
} from '@mainframe/protocol'
import { resolveMedium } from '../../../sdk/src/payments/medium.ts'
import { checkQuote } from '../../../sdk/src/payments/quote-check.ts'
import { fakeMoney } from '../support/fake-money.ts'
import { FakeRelay } from '../support/fake-relays.ts'
import { deployment } from '../support/honest-indexer.ts'

const NOW_MS = Date.UTC(2030, 0, 1)
const limits = { mostDepositBase: 10n ** 20n, mostNoticeSeconds: 604_800 }

function check(quote: Partial<Quote>, forge?: (bytes: Uint8Array) => Uint8Array) {
  return checkAll([quote], forge)
}

const MFT = resolveMedium(undefined, deployment.token)
const COIN = resolveMedium({ token: 'coin', mostBaseUnitsPerUnit: 500n }, deployment.token)

/** What comes of these quotes in one HELLO, of a relay whose unit may cost 400 in the coin by the board. */
function checkAll(
  quotes: readonly Partial<Quote>[],
  forge?: (bytes: Uint8Array) => Uint8Array,
  medium = MFT,
) {
  const fake = new FakeRelay('r', fakeMoney(), medium === MFT ? {} : { rate: 400n })
  if (forge) fake.manners.forge = forge
  const hello = {
    version: LINK_VERSION,
    chainId: deployment.chainId,
    channels: fromHex(deployment.channels),
    signedQuotes: quotes.map((quote) => {
      fake.manners.quote = quote
      return fake.signedQuote()
    }),
  }
  const received = decodeHello(padded(encodeHello(hello)))
  assert.ok(received)
  return checkQuote({
    relay: fake.relay,
    hello: received,
    deployment,
    medium,
    limits,
    nowMs: NOW_MS,
  })
}

function padded(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(2048)
  out.set(body)
  return out
}

describe('checkQuote', () => {
  const nowSeconds = NOW_MS / 1000
  for (const [what, quote, fault] of [
    ['of another relay', { nodeId: new Uint8Array(32) }, 'quotes for another relay'],
    ['with another payee than the record', { payee: new Uint8Array(20).fill(1) }, 'names another'],
    ['with units of its own', { baseUnitsPerUnit: 2n * 10n ** 9n }, 'counts units of another size'],
    ['dearer for routing than the board', { routeUnits: 1001 }, 'asks more'],
    ['dearer for holding than the board', { holdUnitsPerHour: 21 }, 'asks more'],
    ['that has expired', { expiresAtSeconds: nowSeconds }, 'has expired'],
    ['with too large a deposit', { minDepositBase: 10n ** 20n + 1n }, 'too large a deposit'],
    ['with too long a notice', { noticeSeconds: 604_801 }, 'too long a notice'],
    ['with too many confirmations', { confirmations: 101 }, 'too many confirmations'],
  ] as const) {
    it(`refuses a quote ${what}`, () => {
      assert.throws(() => check(quote), { code: 'PAYMENT_UNVERIFIED', message: new RegExp(fault) })
    })
  }

  it('refuses a quote that the node key did not sign, at any changed byte', () => {
    for (const at of [0, 33, 60, 79, 100, 141, 142, 205]) {
      const forge = (bytes: Uint8Array) => {
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ 1
        return changed
      }
      assert.throws(() => check({}, forge), { message: /did not sign its quote/ }, `byte ${at}`)
    }
    assert.throws(() => checkAll([]), { code: 'PAYMENT_UNVERIFIED', message: /did not sign/ })
  })

  it('refuses a relay that takes nothing of what the client pays with', () => {
    const other = { token: new Uint8Array(20), baseUnitsPerUnit: 300n }
    assert.throws(() => check(other), {
      code: 'PAYMENT_NO_MEDIUM',
      message: /takes 0x0{40} and not 0x/,
    })
    assert.throws(() => checkAll([{}], undefined, COIN), { code: 'PAYMENT_NO_MEDIUM' })
  })

  it('refuses a rate above the board’s, or above what the client allows, however low its prices', () => {
    const inCoin = { token: new Uint8Array(20), routeUnits: 1, holdUnitsPerHour: 1 }
    for (const [baseUnitsPerUnit, fault] of [
      [401n, /on the price board/],
      [501n, /on the price board/],
    ] as const) {
      const quotes = [{}, { ...inCoin, baseUnitsPerUnit }]
      assert.throws(() => checkAll(quotes, undefined, COIN), { message: fault })
    }
    const mean = { ...COIN, mostBaseUnitsPerUnit: 399n }
    const quotes = [{ ...inCoin, baseUnitsPerUnit: 400n }]
    assert.throws(() => checkAll(quotes, undefined, mean), { message: /than payWith allows/ })
  })

  it('takes the quote in the medium of the client, of several', () => {
    const inCoin = { token: new Uint8Array(20), baseUnitsPerUnit: 400n }
    const quotes = [{}, { token: new Uint8Array(20).fill(7) }, inCoin]
    assert.equal(checkAll(quotes, undefined, COIN).baseUnitsPerUnit, 400n)
    assert.equal(checkAll(quotes).baseUnitsPerUnit, BASE_PER_UNIT)
  })

  it('takes a quote that is cheaper than the board', () => {
    assert.equal(check({ routeUnits: 900, holdUnitsPerHour: 1 }).routeUnits, 900)
  })

  it('takes the quote of the board itself', () => {
    assert.equal(check({}).noticeSeconds, 86_400)
  })
})
