import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { bytesToBigint, fromHex } from '@mainframe/protocol'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { primitives as native } from '../../../protocol/src/crypto/native.ts'
import { primitives as portable } from '../../../protocol/src/crypto/portable.ts'
import { bytes, bytesUpTo, flipBit } from '../support/arbitraries.ts'

const both = [
  ['native', native],
  ['portable', portable],
] as const

const buffer = (data: Uint8Array) => Buffer.from(data)

/**
 * Every 32-byte string that stands for a point of small order on Curve25519 or its twist (RFC 7748
 * §6.1 wants the all-zero check for them), as little-endian hex; with and without the ignored top bit.
 */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000', // 0, order 4
  '0100000000000000000000000000000000000000000000000000000000000000', // 1, order 1
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', // order 8
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', // order 8
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p - 1, order 2
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p = 0
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p + 1 = 1
].flatMap((hex) => {
  const plain = fromHex(`0x${hex}`)
  return [plain, flipBit(plain, 31, 7)]
})

describe('primitives: what both must refuse', () => {
  for (const [name, { x25519, aeadOpen, ed25519Verify }] of both) {
    it(`${name} X25519 gives undefined for every small-order point and for keys of another length`, () => {
      for (const point of SMALL_ORDER) {
        assert.equal(x25519(new Uint8Array(32).fill(9), point), undefined, String(point))
      }
      for (const length of [0, 31, 33]) {
        assert.equal(x25519(new Uint8Array(32).fill(9), new Uint8Array(length).fill(9)), undefined)
      }
    })

    it(`${name} AEAD opens nothing that was changed, cut or lengthened`, () => {
      const key = new Uint8Array(32).fill(1)
      const nonce = new Uint8Array(12).fill(2)
      const aad = new Uint8Array(39).fill(3)
      const sealed = native.aeadSeal({ key, nonce, aad, text: new Uint8Array(40).fill(4) })
      const open = (text: Uint8Array, other = {}) => aeadOpen({ key, nonce, aad, text, ...other })
      assert.ok(open(sealed))
      for (let i = 0; i < sealed.length; i++) {
        assert.equal(open(flipBit(sealed, i, i)), undefined, `byte ${i}`)
      }
      for (let length = 0; length < sealed.length; length++) {
        assert.equal(open(sealed.slice(0, length)), undefined, `cut to ${length}`)
      }
      assert.equal(open(Uint8Array.of(...sealed, 0)), undefined)
      assert.equal(open(sealed, { aad: flipBit(aad, 0, 0) }), undefined)
      assert.equal(open(sealed, { nonce: flipBit(nonce, 0, 0) }), undefined)
      assert.equal(open(sealed, { key: flipBit(key, 0, 0) }), undefined)
    })

    it(`${name} Ed25519 refuses changed messages, keys and signatures, and other lengths`, () => {
      const seed = new Uint8Array(32).fill(5)
      const key = native.ed25519PublicKey(seed)
      const message = new Uint8Array(20).fill(6)
      const signature = native.ed25519Sign(seed, message)
      assert.equal(ed25519Verify(key, message, signature), true)
      assert.equal(ed25519Verify(key, flipBit(message, 3, 3), signature), false)
      assert.equal(ed25519Verify(flipBit(key, 3, 3), message, signature), false)
      for (let i = 0; i < 64; i++) {
        assert.equal(ed25519Verify(key, message, flipBit(signature, i, i)), false, `byte ${i}`)
      }
      assert.equal(ed25519Verify(key.slice(1), message, signature), false)
      assert.equal(ed25519Verify(key, message, signature.slice(1)), false)
      assert.equal(ed25519Verify(key, message, Uint8Array.of(...signature, 0)), false)
    })
  }

  it('both agree on signatures and keys with a part of small order, so that all list the same relays', () => {
    const seen = { accepted: 0, refused: 0 }
    for (const [keyPart, signaturePart, nonce] of SMALL_ORDER_PARTS) {
      for (let i = 0; i < 8; i++) {
        const message = Uint8Array.of(i)
        const forged = forge({ keyPart, signaturePart, nonce, message })
        const answers = both.map(([, p]) => p.ed25519Verify(forged.key, message, forged.signature))
        assert.equal(answers[0], answers[1], `parts ${keyPart}, ${signaturePart}, message ${i}`)
        seen[answers[0] ? 'accepted' : 'refused'] += 1
      }
    }
    assert.ok(seen.accepted > 8 && seen.refused > 8, 'the cases tell nothing apart')
  })
})

/** Multiples of a point of order 8 to add to key and signature, and the discrete logarithm of R. */
const SMALL_ORDER_PARTS = [
  [0, 0, 7n],
  [1, 0, 7n],
  [4, 0, 7n],
  [0, 1, 7n],
  [0, 4, 7n],
  [3, 5, 7n],
  [0, 0, 0n],
  [0, 1, 0n],
  [0, 4, 0n],
] as const

interface Forgery {
  keyPart: number
  signaturePart: number
  nonce: bigint
  message: Uint8Array
}

/** A signature that fulfils eight times the equation of RFC 8032, whatever the small-order parts. */
function forge({ keyPart, signaturePart, nonce, message }: Forgery) {
  const { Point } = ed25519
  const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
  const times = (n: number) => torsion.multiplyUnsafe(BigInt(n))
  const secret = 123_456_789n
  const key = Point.BASE.multiplyUnsafe(secret).add(times(keyPart)).toBytes()
  const r = Point.BASE.multiplyUnsafe(nonce).add(times(signaturePart)).toBytes()
  const digest = sha512(Uint8Array.of(...r, ...key, ...message))
  const challenge = bytesToBigint(digest.toReversed()) % Point.Fn.ORDER
  const s = (nonce + challenge * secret) % Point.Fn.ORDER
  const encoded = fromHex(`0x${s.toString(16).padStart(64, '0')}`).toReversed()
  return { key, signature: Uint8Array.of(...r, ...encoded) }
}

describe('primitives: native equals portable equals node:crypto', () => {
  it('X25519 agrees for any scalar and any point', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (secret, point) => {
        assert.deepEqual(portable.x25519(secret, point), native.x25519(secret, point))
      }),
      { numRuns: 60 },
    )
  })

  it('X25519 public keys and shared secrets agree', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (a, b) => {
        const [publicA, publicB] = [native.x25519PublicKey(a), portable.x25519PublicKey(b)]
        assert.deepEqual(portable.x25519PublicKey(a), publicA)
        assert.ok(native.x25519(a, publicB))
        assert.deepEqual(native.x25519(a, publicB), portable.x25519(b, publicA))
      }),
      { numRuns: 40 },
    )
  })

  it('SHA-256, HMAC-SHA256 and BLAKE2b-256 agree for any length, keys longer than a block included', () => {
    fc.assert(
      fc.property(bytesUpTo(200), bytesUpTo(300), (key, data) => {
        const sha = createHash('sha256').update(data).digest()
        const mac = createHmac('sha256', key).update(data).digest()
        for (const [, p] of both) {
          assert.deepEqual(buffer(p.sha256(data)), sha)
          assert.deepEqual(buffer(p.hmacSha256(key, data)), mac)
        }
        assert.deepEqual(native.blake2b256(data), portable.blake2b256(data))
        assert.deepEqual(native.keccak256(data), portable.keccak256(data))
      }),
      { numRuns: 300 },
    )
  })

  it('BLAKE2b-256 gives the known digest of "abc"', () => {
    const expected = 'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319'
    for (const [, p] of both) {
      assert.equal(buffer(p.blake2b256(buffer(Buffer.from('abc')))).toString('hex'), expected)
    }
  })

  it('Keccak-256 agrees for any length and any part of a buffer, and is not SHA-3', () => {
    const empty = 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    for (const [, p] of both) {
      assert.equal(buffer(p.keccak256(new Uint8Array(0))).toString('hex'), empty)
    }
    fc.assert(
      fc.property(bytesUpTo(500), fc.nat(3), (data, from) => {
        const digest = portable.keccak256(data.slice(from))
        assert.deepEqual(native.keccak256(data.subarray(from)), digest)
        assert.deepEqual(native.keccak256(buffer(data).subarray(from)), digest)
        assert.notDeepEqual(buffer(digest), createHash('sha3-256').update(data).digest())
      }),
      { numRuns: 300 },
    )
  })

  it('AEAD boxes of one open with the other', () => {
    fc.assert(
      fc.property(
        fc.record({ key: bytes(32), nonce: bytes(12), aad: bytesUpTo(80), text: bytesUpTo(2000) }),
        (box) => {
          const sealed = native.aeadSeal(box)
          assert.deepEqual(portable.aeadSeal(box), sealed)
          assert.deepEqual(native.aeadOpen({ ...box, text: sealed }), box.text)
          assert.deepEqual(portable.aeadOpen({ ...box, text: sealed }), box.text)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('secp256k1 signs as RFC 6979 has it, with low s, and both alike', () => {
    // RFC 6979 has no vector of this curve; this one is known from Bitcoin's libraries
    const digest = createHash('sha256').update('Satoshi Nakamoto').digest()
    const key = Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0))
    const r = '934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8'
    const s = '2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5'
    for (const [, p] of both) {
      assert.equal(buffer(p.secp256k1Sign(digest, key).signature).toString('hex'), r + s)
    }
    fc.assert(
      fc.property(bytes(32), bytes(32), (message, secret) => {
        secret[0] = 1 // a key below the order of the curve, and not zero
        const expected = portable.secp256k1Sign(message, secret)
        assert.deepEqual(native.secp256k1Sign(message, secret), expected)
      }),
      { numRuns: 100 },
    )
  })

  it('secp256k1 keys agree, and whoever signed is found alike, or nobody', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), bytes(64), fc.nat(63), (message, secret, noise, at) => {
        secret[0] = 1
        const key = native.secp256k1PublicKey(secret)
        assert.deepEqual(portable.secp256k1PublicKey(secret), key)
        const { signature, recovery } = native.secp256k1Sign(message, secret)
        const bit = recovery === 0 ? 0 : 1
        assert.deepEqual(native.secp256k1Recover(message, signature, bit), key)
        const zero = new Uint8Array(64)
        noise[32] = (noise[32] ?? 0) & 0x7f // as it comes out of a compact signature
        for (const wrong of [signature, noise, flipBit(signature, at, 0), zero]) {
          for (const side of [0, 1] as const) {
            const expected = native.secp256k1Recover(message, wrong, side)
            assert.deepEqual(portable.secp256k1Recover(message, wrong, side), expected)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('Ed25519 keys and signatures agree, and each verifies the other', () => {
    fc.assert(
      fc.property(bytes(32), bytesUpTo(100), (seed, message) => {
        const key = native.ed25519PublicKey(seed)
        const signature = native.ed25519Sign(seed, message)
        assert.deepEqual(portable.ed25519PublicKey(seed), key)
        assert.deepEqual(portable.ed25519Sign(seed, message), signature)
        assert.ok(both.every(([, p]) => p.ed25519Verify(key, message, signature)))
      }),
      { numRuns: 40 },
    )
  })

  it('random bytes have the asked length and differ', () => {
    for (const [, p] of both) {
      assert.deepEqual(
        [0, 1, 33].map((n) => p.randomBytes(n).length),
        [0, 1, 33],
      )
      assert.notDeepEqual(p.randomBytes(32), p.randomBytes(32))
    }
  })
})
