import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  CREDIT_OUTCOMES,
  decodeAck,
  decodeCredit,
  decodeHello,
  decodeReleaseAnswer,
  decodeSubscribe,
  encodeAck,
  encodeCredit,
  encodeFrame,
  encodeHello,
  encodeReleaseAnswer,
  encodeSubscribe,
  LINK_VERSION,
  MAX_AMOUNT,
  MAX_QUOTES,
  MAX_REFUSALS,
  maxQuotes,
  PACKET_REFUSALS,
  RELEASE_OUTCOMES,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { bytes, noise, noiseOf, units } from '../support/arbitraries.ts'
import { ackBody } from '../support/payee.ts'

const plain = { noNullPrototype: true } as const
/** A body as it comes out of a frame: filled up to 2048 bytes. */
const framed = (body: Uint8Array) => encodeFrame({ type: 'ack', body }).subarray(32)

/** A version, and at most as many quotes as it has room for. */
const hello = fc.nat(0xffff).chain((version) =>
  fc.record(
    {
      version: fc.constant(version),
      chainId: units(),
      channels: bytes(20),
      signedQuotes: fc.array(noise(206), { maxLength: maxQuotes(version) }),
    },
    plain,
  ),
)
const credit = fc.record(
  {
    payer: bytes(20),
    token: bytes(20),
    signer: bytes(20),
    noticeSeconds: fc.nat(0xffff_ffff),
    epoch: fc.nat(0xffff_ffff),
    amount: fc.bigInt({ min: 0n, max: MAX_AMOUNT }),
    signature: bytes(64),
  },
  plain,
)
const refusal = fc.record({ sequence: units(), reason: fc.constantFrom(...PACKET_REFUSALS) }, plain)
const ack = fc.record(
  {
    processed: units(),
    spentUnits: units(),
    durableUnits: units(),
    creditSequence: units(),
    credit: fc.constantFrom(...CREDIT_OUTCOMES),
    refused: fc.array(refusal, { maxLength: MAX_REFUSALS }),
  },
  plain,
)
const release = fc.record(
  {
    outcome: fc.constantFrom(...RELEASE_OUTCOMES),
    finalAmount: fc.bigInt({ min: 0n, max: MAX_AMOUNT }),
    signature: bytes(64),
  },
  plain,
)
const subscribe = fc.record({ bits: fc.nat(128), prefix: bytes(32), cursor: units() }, plain)

/** Which random bytes stay, so that bounds on numbers are kept as well as broken. */
const MASKS = [() => true, (i: number) => i % 8 >= 6, (i: number) => i % 12 === 0]

describe('link bodies: refusals', () => {
  const decoders = { decodeHello, decodeCredit, decodeAck, decodeSubscribe, decodeReleaseAnswer }
  for (const [name, decode] of Object.entries(decoders)) {
    it(`${name} answers for any bytes of any length, 20,000 of them`, () => {
      const outcomes = { decoded: 0, undefined: 0 }
      for (let seed = 0; seed < 20_000; seed++) {
        const body = noiseOf(seed, seed % 260)
        const isKept = MASKS[seed % MASKS.length]
        for (let i = 0; i < body.length; i++) if (!isKept?.(i)) body[i] = 0
        outcomes[decode(body) ? 'decoded' : 'undefined'] += 1
      }
      assert.ok(outcomes.decoded > 50 && outcomes.undefined > 50, JSON.stringify(outcomes))
    })
  }

  it('a body cut before its last field is none', () => {
    const whole = [
      [decodeHello, encodeHello({ ...helloOf(), signedQuotes: quotes(MAX_QUOTES) })],
      [decodeHello, encodeHello({ ...helloOf(), version: 1, signedQuotes: quotes(1) })],
      [decodeHello, encodeHello(helloOf())],
      [decodeCredit, encodeCredit(creditOf())],
      [decodeAck, ackBody({ refused: [{ sequence: 1, reason: 'full' }] })],
      [decodeSubscribe, encodeSubscribe({ bits: 1, prefix: new Uint8Array(32), cursor: 0 })],
      [decodeReleaseAnswer, encodeReleaseAnswer(releaseOf())],
    ] as const
    for (const [decode, body] of whole) {
      assert.ok(decode(body))
      for (let length = 0; length < body.length; length++) {
        assert.equal(decode(body.subarray(0, length)), undefined, `${decode.name} ${length}`)
      }
    }
  })

  it('unknown codes, more refusals than fit, and numbers out of bounds', () => {
    const body = framed(ackBody({}))
    const changed = (offset: number, ...values: number[]) => {
      const copy = body.slice()
      copy.set(values, offset)
      return copy
    }
    assert.ok(decodeAck(changed(32, CREDIT_OUTCOMES.length - 1)))
    assert.equal(decodeAck(changed(32, CREDIT_OUTCOMES.length)), undefined)
    assert.ok(decodeAck(changed(33, 0, MAX_REFUSALS)))
    assert.equal(decodeAck(changed(33, 0, MAX_REFUSALS + 1)), undefined)
    assert.equal(
      decodeAck(changed(33, 0, 1, ...new Array(8).fill(0), PACKET_REFUSALS.length)),
      undefined,
    )
    for (const offset of [0, 8, 16, 24])
      assert.equal(decodeAck(changed(offset, 0, 0x20)), undefined)

    const amount = encodeCredit(creditOf())
    amount.set([0, 0, 0, 1], 68) // 2^96
    assert.equal(decodeCredit(amount), undefined)
    const released = encodeReleaseAnswer(releaseOf())
    released[0] = RELEASE_OUTCOMES.length
    assert.equal(decodeReleaseAnswer(released), undefined)
    released.set([0, 0, 0, 0, 1], 0) // 2^96
    assert.equal(decodeReleaseAnswer(released), undefined)
    const wish = { prefix: new Uint8Array(32), cursor: 0 }
    assert.equal(decodeSubscribe(encodeSubscribe({ ...wish, bits: 129 })), undefined)
    assert.equal(decodeSubscribe(encodeSubscribe({ ...wish, bits: 256 })), undefined)
    for (const [version, most] of [
      [0, 1],
      [1, 1],
      [LINK_VERSION, MAX_QUOTES],
    ] as const) {
      const quoted = framed(encodeHello({ ...helloOf(), version }))
      quoted[10] = most
      assert.equal(decodeHello(quoted)?.signedQuotes.length, most)
      quoted[10] = most + 1
      assert.equal(decodeHello(quoted), undefined)
    }
  })

  it('fields of another length, and too many refusals, do not encode', () => {
    const short = new Uint8Array(19)
    assert.throws(() => encodeHello({ ...helloOf(), channels: short }), { code: 'CODEC_INVALID' })
    assert.throws(() => encodeHello({ ...helloOf(), signedQuotes: [short] }), {
      code: 'CODEC_INVALID',
    })
    const tooMany = { ...helloOf(), signedQuotes: quotes(MAX_QUOTES + 1) }
    assert.throws(() => encodeHello(tooMany), { code: 'VALIDATION_FAILED' })
    assert.throws(() => encodeHello({ ...helloOf(), version: 1, signedQuotes: quotes(2) }), {
      code: 'VALIDATION_FAILED',
    })
    for (const field of ['payer', 'token', 'signer', 'signature']) {
      assert.throws(() => encodeCredit({ ...creditOf(), [field]: short }), {
        code: 'CODEC_INVALID',
      })
    }
    assert.throws(() => encodeCredit({ ...creditOf(), amount: 1n << 128n }), {
      code: 'CODEC_INVALID',
    })
    assert.throws(() => encodeSubscribe({ bits: 0, cursor: 0, prefix: short }), {
      code: 'CODEC_INVALID',
    })
    assert.throws(() => encodeReleaseAnswer({ ...releaseOf(), signature: short }), {
      code: 'CODEC_INVALID',
    })
    const refused = Array.from({ length: MAX_REFUSALS + 1 }, (_, sequence) => ({
      sequence,
      reason: 'busy' as const,
    }))
    assert.throws(() => ackBody({ refused }), { code: 'VALIDATION_FAILED' })
    assert.ok(framed(ackBody({ refused: refused.slice(1) })))
  })
})

describe('link bodies', () => {
  it('round trip through a frame', () => {
    fc.assert(
      fc.property(hello, credit, ack, subscribe, release, (h, c, a, s, r) => {
        assert.deepEqual(decodeHello(framed(encodeHello(h))), h)
        assert.deepEqual(decodeCredit(framed(encodeCredit(c))), c)
        assert.deepEqual(decodeAck(framed(encodeAck(a))), a)
        assert.deepEqual(decodeSubscribe(framed(encodeSubscribe(s))), s)
        assert.deepEqual(decodeReleaseAnswer(framed(encodeReleaseAnswer(r))), r)
      }),
    )
  })

  it('keep their code numbers', () => {
    assert.deepEqual(PACKET_REFUSALS, [
      'malformed',
      'version',
      'expired',
      'too-far',
      'busy',
      'underpaid',
      'full',
      'no-credit',
    ])
    assert.deepEqual(CREDIT_OUTCOMES, [
      'accepted',
      'malformed',
      'unknown-channel',
      'bad-signature',
      'wrong-epoch',
      'wrong-terms',
      'closing',
      'not-greater',
      'over-deposit',
      'over-window',
      'small-deposit',
      'busy',
    ])
    assert.deepEqual(RELEASE_OUTCOMES, [
      'released',
      'malformed',
      'unknown-channel',
      'bad-signature',
      'wrong-epoch',
      'too-low',
      'busy',
    ])
  })
})

function helloOf() {
  const channels = new Uint8Array(20)
  return { version: LINK_VERSION, chainId: 7, channels, signedQuotes: [] }
}

function quotes(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(206).fill(i))
}

function releaseOf() {
  const signature = new Uint8Array(64)
  return { outcome: 'released' as const, finalAmount: 5n, signature }
}

function creditOf() {
  const account = new Uint8Array(20)
  const signature = new Uint8Array(64)
  const parties = { payer: account, token: account, signer: account }
  return { ...parties, noticeSeconds: 3600, epoch: 1, amount: 5n, signature }
}
