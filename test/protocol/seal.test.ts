import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  CONTENT_BYTES,
  createHpke,
  createKeyPair,
  encodeHeader,
  encodeInstruction,
  LAYER_OVERHEAD_BYTES,
  openPacket,
  type PacketHeader,
  packetEnc,
  padPacket,
  sealLayer,
  utf8,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { primitives as portable } from '../../protocol/src/crypto/portable.ts'
import { bytes, expiry, flipBit, luminosity, noise } from './support/arbitraries.ts'

const header: PacketHeader = {
  luminosity: 20,
  address: new Uint8Array(32).fill(0xab),
  expiryMinutes: 29_000_000,
}
const alice = createKeyPair()
const content = encodeInstruction({ kind: 'drop' })
const packet = padPacket(sealLayer({ header, publicKey: alice.publicKey, content }))

/** Where the sealed content ends and padding begins, for the smallest content. */
const PADDING_OFFSET = 1694

describe('openPacket: what does not open', () => {
  it('is unopened for every other key', () => {
    for (let i = 0; i < 50; i++) assert.equal(openPacket(packet, createKeyPair()), 'unopened')
  })

  it('is unopened after any change of header, enc or sealed length', () => {
    for (let i = 0; i < 8 * 89; i++) {
      // X25519 ignores the top bit of a point (RFC 7748 §5), but HPKE binds all of enc.
      assert.equal(openPacket(flipBit(packet, i >> 3, i), alice), 'unopened', `bit ${i}`)
    }
  })

  it('is damaged after any change of the sealed content, and indifferent to its padding', () => {
    for (let offset = 89; offset < PADDING_OFFSET; offset += 13) {
      assert.equal(openPacket(flipBit(packet, offset, offset), alice), 'damaged', `byte ${offset}`)
    }
    assert.deepEqual(openPacket(flipBit(packet, PADDING_OFFSET, 0), alice), content)
    assert.deepEqual(openPacket(flipBit(packet, 2047, 0), alice), content)
  })

  it('is unopened when enc is a low-order point', () => {
    const evil = packet.slice()
    evil.set(new Uint8Array(32), 39)
    assert.equal(openPacket(evil, alice), 'unopened')
  })

  it('is damaged when a sender sealed a length that no content has', () => {
    const hpke = createHpke(portable, utf8('mainframe/packet/1'))
    for (const length of [0, 1, 1588, 1590, 1944, 2047, 0xffff]) {
      const sender = hpke.setupSender(alice.publicKey)
      assert.ok(sender)
      const aad = encodeHeader(header)
      const text = Uint8Array.of(length >> 8, length & 0xff)
      const evil = padPacket(aad)
      evil.set(sender.enc, 39)
      evil.set(hpke.seal(sender.context, { sequence: 0, aad, text }), 71)
      assert.equal(openPacket(evil, alice), 'damaged')
    }
  })

  it('answers, and never throws, for any bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), noise(2048)), (garbage) => {
        assert.equal(openPacket(garbage, alice), 'unopened')
      }),
      { numRuns: 300 },
    )
  })
})

describe('sealLayer', () => {
  it('refuses keys that nobody could open with, and contents of other sizes', () => {
    const seal = (changes: object) =>
      sealLayer({ header, publicKey: alice.publicKey, content, ...changes })
    assert.throws(() => seal({ publicKey: new Uint8Array(32) }), { code: 'CRYPTO_INVALID_KEY' })
    assert.throws(() => seal({ publicKey: new Uint8Array(33) }), { code: 'CRYPTO_INVALID_KEY' })
    assert.throws(() => seal({ content: new Uint8Array(1588) }), { code: 'VALIDATION_FAILED' })
    assert.throws(() => createKeyPair(new Uint8Array(31)), { code: 'CRYPTO_INVALID_KEY' })
  })

  it('seals each size for its key, under any header', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CONTENT_BYTES),
        fc.record({ luminosity, address: bytes(32), expiryMinutes: expiry }),
        bytes(32),
        (size, anyHeader, secret) => {
          const pair = createKeyPair(secret)
          const text = new Uint8Array(size).fill(0x5a)
          const layer = sealLayer({ header: anyHeader, publicKey: pair.publicKey, content: text })
          assert.equal(layer.length, size + LAYER_OVERHEAD_BYTES)
          assert.deepEqual(openPacket(padPacket(layer), pair), text)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('uses a new ephemeral key each time', () => {
    const again = sealLayer({ header, publicKey: alice.publicKey, content })
    assert.notDeepEqual(packetEnc(again), packetEnc(packet))
    assert.notDeepEqual(again.subarray(89), packet.subarray(89, PADDING_OFFSET))
  })
})
