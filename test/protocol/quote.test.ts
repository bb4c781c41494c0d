import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openQuote, type Quote, SIGNED_QUOTE_BYTES, signQuote } from '@mainframe/protocol'
import fc from 'fast-check'
import { primitives } from '../../protocol/src/crypto/native.ts'
import { bytes, flipBit, noise, units } from './support/arbitraries.ts'

const seed = new Uint8Array(32).fill(1)
const nodeKey = primitives.ed25519PublicKey(seed)
const domain = { chainId: 31_337n, contract: new Uint8Array(20).fill(2) }
const quote: Quote = {
  nodeId: new Uint8Array(32).fill(3),
  payee: new Uint8Array(20).fill(4),
  token: new Uint8Array(20),
  routeUnits: 100,
  holdUnitsPerHour: 10,
  minDepositBase: 10n ** 18n,
  noticeSeconds: 3600,
  maxWindowUnits: 1_000_000,
  confirmations: 3,
  baseUnitsPerUnit: 10n ** 9n,
  expiresAtSeconds: 1_800_000_000,
}
const signed = signQuote(seed, quote, domain)

describe('openQuote: refusals', () => {
  it('another key, chain, contract or any changed bit', () => {
    const other = primitives.ed25519PublicKey(new Uint8Array(32).fill(9))
    assert.equal(openQuote(signed, other, domain), undefined)
    assert.equal(openQuote(signed, nodeKey, { ...domain, chainId: 1n }), undefined)
    const contract = new Uint8Array(20).fill(3)
    assert.equal(openQuote(signed, nodeKey, { ...domain, contract }), undefined)
    for (let i = 0; i < SIGNED_QUOTE_BYTES; i++) {
      assert.equal(openQuote(flipBit(signed, i, i), nodeKey, domain), undefined, `byte ${i}`)
    }
  })

  it('anything shorter, and any bytes at all', () => {
    for (let length = 0; length < SIGNED_QUOTE_BYTES; length += 7) {
      assert.equal(openQuote(signed.subarray(0, length), nodeKey, domain), undefined)
    }
    fc.assert(
      fc.property(noise(SIGNED_QUOTE_BYTES), (garbage) => {
        assert.equal(openQuote(garbage, nodeKey, domain), undefined)
      }),
    )
  })

  it('a price, window, rate or expiry of zero, even when signed', () => {
    const zeros: Partial<Quote>[] = [
      { routeUnits: 0 },
      { holdUnitsPerHour: 0 },
      { maxWindowUnits: 0 },
      { baseUnitsPerUnit: 0n },
      { expiresAtSeconds: 0 },
    ]
    for (const zero of zeros) {
      const bad = signQuote(seed, { ...quote, ...zero }, domain)
      assert.equal(openQuote(bad, nodeKey, domain), undefined, Object.keys(zero).join())
    }
  })
})

describe('signQuote', () => {
  it('round trips every figure', () => {
    const anyQuote = fc.record(
      {
        nodeId: bytes(32),
        payee: bytes(20),
        token: bytes(20),
        routeUnits: units(1),
        holdUnitsPerHour: units(1),
        minDepositBase: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        noticeSeconds: fc.integer({ min: 0, max: 0xffff_ffff }),
        maxWindowUnits: units(1),
        confirmations: fc.integer({ min: 0, max: 0xffff }),
        baseUnitsPerUnit: fc.bigInt({ min: 1n, max: (1n << 128n) - 1n }),
        expiresAtSeconds: units(1),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(anyQuote, (any) => {
        const encoded = signQuote(seed, any, domain)
        assert.equal(encoded.length, SIGNED_QUOTE_BYTES)
        assert.deepEqual(openQuote(encoded, nodeKey, domain), any)
        const inFrame = Uint8Array.of(...encoded, 0, 0, 0)
        assert.deepEqual(openQuote(inFrame, nodeKey, domain), any)
      }),
    )
  })

  it('refuses fields of another length', () => {
    const short = new Uint8Array(19)
    for (const change of [{ nodeId: short }, { payee: short }, { token: short }]) {
      assert.throws(() => signQuote(seed, { ...quote, ...change }, domain), {
        code: 'CODEC_INVALID',
      })
    }
  })
})
