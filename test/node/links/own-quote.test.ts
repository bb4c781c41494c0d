import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SIGNED_QUOTE_BYTES } from '@mainframe/protocol'
import { createQuoter } from '../../../node/src/links/own-quote.ts'

const PAYEE = new Uint8Array(20).fill(1)
const PRICES = { routeUnits: 1_000, holdUnitsPerHour: 50 }

function quoteOf(registered: { payee: Uint8Array; prices: typeof PRICES | undefined } | undefined) {
  const quote = createQuoter({
    nodeSeed: new Uint8Array(32).fill(3),
    domain: { chainId: 7n, contract: new Uint8Array(20) },
    payee: PAYEE,
    token: new Uint8Array(20),
    maxWindowUnits: 1_000,
    minDepositBase: 1n,
    noticeSeconds: 3_600,
    confirmations: 2,
    self: () => registered && { nodeId: new Uint8Array(32), ...registered },
  })
  return quote()
}

describe('the quote of a relay', () => {
  it('is not given before there are prices, nor for a payee whose vouchers are not taken here', () => {
    assert.equal(quoteOf(undefined), undefined)
    assert.equal(quoteOf({ payee: PAYEE, prices: undefined }), undefined)
    assert.equal(quoteOf({ payee: new Uint8Array(20).fill(2), prices: PRICES }), undefined)
    assert.equal(quoteOf({ payee: PAYEE, prices: PRICES })?.length, SIGNED_QUOTE_BYTES)
  })
})
