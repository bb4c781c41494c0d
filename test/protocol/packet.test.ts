import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  decodeHeader,
  decodePacket,
  discloseAddress,
  encodeHeader,
  FORWARD_HORIZON_MINUTES,
  HEADER_BYTES,
  HOLD_CLASS_MINUTES,
  HOLD_CLASSES,
  HOLD_HORIZON_MINUTES,
  headerOf,
  minutesNow,
  PACKET_BYTES,
  type PacketHeader,
  packetId,
  padPacket,
  roundUpExpiry,
} from '@mainframe/protocol'
import { blake2b } from '@noble/hashes/blake2.js'
import fc from 'fast-check'
import { bytes, expiry, flipBit, luminosity, noise } from './support/arbitraries.ts'

const NOW = 29_000_000
const ADDRESS = new Uint8Array(32).fill(0xff)
const header: PacketHeader = { luminosity: 12, address: ADDRESS, expiryMinutes: NOW + 60 }

/** A packet with this header and zeros behind it. */
function packetOf(changes: Partial<PacketHeader> = {}): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES)
  packet.set(encodeHeader({ ...header, ...changes }))
  return packet
}

const withByte = (offset: number, value: number) => {
  const packet = packetOf()
  packet[offset] = value
  return packet
}

describe('decodePacket: refusals', () => {
  it('any other length is malformed', () => {
    for (const length of [0, 1, 38, 39, 2047, 2049, 4096]) {
      assert.equal(decodePacket(new Uint8Array(length).fill(1), NOW), 'malformed')
    }
  })

  it('any other version byte is a version, before anything else is looked at', () => {
    for (const version of [0, 2, 255])
      assert.equal(decodePacket(withByte(0, version), NOW), 'version')
    const garbage = new Uint8Array(PACKET_BYTES).fill(0xee)
    assert.equal(decodePacket(garbage, NOW), 'version')
  })

  it('luminosities 129..255 and from 257 on are malformed', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      if (bits <= 128 || bits === 256) continue
      const packet = packetOf({ luminosity: 256 })
      packet[1] = bits >> 8
      packet[2] = bits & 0xff
      assert.equal(decodeHeader(packet), 'malformed', `${bits}`)
      if (bits > 300 && bits < 0xff00) bits += 97
    }
  })

  it('any bit past the luminosity is malformed', () => {
    for (let bits = 0; bits <= 128; bits++) {
      for (let bit = bits; bit < 256; bit++) {
        const packet = packetOf({ luminosity: bits })
        packet[3 + (bit >> 3)] = (packet[3 + (bit >> 3)] ?? 0) | (0x80 >> (bit & 7))
        assert.equal(decodeHeader(packet), 'malformed', `luminosity ${bits}, bit ${bit}`)
      }
    }
  })

  it('an expiry that is no multiple of five minutes, or zero, is malformed', () => {
    for (let minutes = 0; minutes < 5; minutes++) {
      const packet = packetOf()
      new DataView(packet.buffer).setUint32(35, minutes === 0 ? 0 : NOW + minutes)
      assert.equal(decodePacket(packet, NOW), 'malformed')
    }
  })

  it('is expired at its very minute, and too far one step past the horizon of its kind', () => {
    const cases = [
      [12, HOLD_HORIZON_MINUTES],
      [0, HOLD_HORIZON_MINUTES],
      [256, FORWARD_HORIZON_MINUTES],
    ] as const
    for (const [bits, horizon] of cases) {
      const at = (expiryMinutes: number, now = NOW) =>
        decodePacket(packetOf({ luminosity: bits, expiryMinutes }), now)
      assert.equal(at(NOW), 'expired')
      assert.equal(at(5), 'expired')
      assert.equal(typeof at(NOW + 5), 'object')
      assert.equal(typeof at(NOW, NOW - 1), 'object')
      const last = 5 * Math.floor((NOW + horizon) / 5)
      assert.equal(typeof at(last), 'object')
      assert.equal(at(last + 5), 'too-far')
      assert.equal(at(0xffff_ffff), 'too-far')
    }
  })

  it('answers a header or a name for any bytes', () => {
    const outcomes = new Set(['malformed', 'version', 'expired', 'too-far'])
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 100 }), noise(PACKET_BYTES)),
        fc.constantFrom(0, 1, 2),
        (garbage, version) => {
          if (garbage.length > 0) garbage[0] = version
          const answer = decodePacket(garbage, NOW)
          assert.ok(typeof answer === 'object' || outcomes.has(answer))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('a changed header bit makes another header or a refusal, never the same header', () => {
    const packet = packetOf()
    const original = decodeHeader(packet)
    for (let i = 0; i < 8 * HEADER_BYTES; i++) {
      assert.notDeepEqual(decodeHeader(flipBit(packet, i >> 3, i)), original)
    }
  })
})

describe('encodeHeader', () => {
  it('refuses a 33-byte address and every other length', () => {
    for (const length of [0, 1, 20, 31, 33, 64]) {
      const address = new Uint8Array(length)
      assert.throws(() => encodeHeader({ ...header, address }), { code: 'VALIDATION_FAILED' })
    }
  })

  it('refuses luminosities and expiries that no relay accepts', () => {
    for (const bits of [-1, 129, 255, 257, 1.5, Number.NaN]) {
      assert.throws(() => encodeHeader({ ...header, luminosity: bits }), {
        code: 'VALIDATION_FAILED',
      })
    }
    for (const minutes of [0, -5, 1, 7, 2 ** 32, 12.5, Number.NaN]) {
      assert.throws(() => encodeHeader({ ...header, expiryMinutes: minutes }), {
        code: 'VALIDATION_FAILED',
      })
    }
  })

  it('round trips, and discloses no more than the luminosity', () => {
    fc.assert(
      fc.property(luminosity, bytes(32), expiry, (bits, address, expiryMinutes) => {
        const encoded = encodeHeader({ luminosity: bits, address, expiryMinutes })
        assert.equal(encoded.length, HEADER_BYTES)
        const expected = {
          luminosity: bits,
          address: discloseAddress(address, bits),
          expiryMinutes,
        }
        assert.deepEqual(headerOf(encoded), expected)
        assert.deepEqual(decodeHeader(padPacket(encoded)), expected)
      }),
    )
  })

  it('has the fields where PROTOCOL.md puts them', () => {
    const encoded = encodeHeader({
      luminosity: 256,
      address: ADDRESS,
      expiryMinutes: 0x01020304,
    })
    assert.deepEqual([...encoded.subarray(0, 3)], [1, 1, 0])
    assert.deepEqual(encoded.subarray(3, 35), ADDRESS)
    assert.deepEqual([...encoded.subarray(35)], [1, 2, 3, 4])
  })
})

describe('padPacket and packetId', () => {
  it('fills up with padding that is new each time, and refuses what is too long', () => {
    const layer = new Uint8Array(1694).fill(7)
    const [one, two] = [padPacket(layer), padPacket(layer)]
    assert.equal(one.length, PACKET_BYTES)
    assert.deepEqual(one.subarray(0, 1694), layer)
    assert.notDeepEqual(one.subarray(1694), two.subarray(1694))
    assert.equal(padPacket(new Uint8Array(PACKET_BYTES)).length, PACKET_BYTES)
    assert.throws(() => padPacket(new Uint8Array(PACKET_BYTES + 1)), { code: 'VALIDATION_FAILED' })
  })

  it('the id is 16 bytes of BLAKE2b-256 over all 2048 bytes', () => {
    const packet = packetOf()
    assert.deepEqual(packetId(packet), blake2b(packet, { dkLen: 32 }).slice(0, 16))
    for (const offset of [0, 38, 39, 88, 89, 2047]) {
      assert.notDeepEqual(packetId(flipBit(packet, offset, 0)), packetId(packet))
    }
  })
})

describe('time', () => {
  it('counts whole minutes and rounds expiries up to five', () => {
    assert.equal(minutesNow(0), 0)
    assert.equal(minutesNow(59_999), 0)
    assert.equal(minutesNow(60_000), 1)
    assert.deepEqual([0, 1, 4, 5, 6].map(roundUpExpiry), [0, 5, 5, 5, 10])
  })

  it('every hold class is accepted by a relay whose clock is five minutes behind', () => {
    for (const holdClass of HOLD_CLASSES) {
      const expiryMinutes = roundUpExpiry(NOW + 4 + HOLD_CLASS_MINUTES[holdClass])
      assert.equal(typeof decodePacket(packetOf({ expiryMinutes }), NOW - 1), 'object')
    }
  })
})
