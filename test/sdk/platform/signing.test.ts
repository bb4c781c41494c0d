import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesToBigint, concatBytes, fromHex, utf8 } from '@mainframe/protocol'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { signing as nodeSigning } from '../../../sdk/src/platform/node.ts'
import { createWebSigning } from '../../../sdk/src/platform/web-signing.ts'
import { randomBytes } from '../../../sdk/src/random.ts'

const { subtle } = globalThis.crypto
const webSigning = createWebSigning()
/** As in Chromium, which takes any key; as it would be if it took any signature, too. */
const trusting = createWebSigning(
  new Proxy(subtle, {
    get: (target, name: keyof SubtleCrypto) =>
      name === 'verify' ? async () => true : target[name].bind(target),
  }),
)
const { Point } = ed25519
const TEXT = utf8('text')
const ways = [
  ['in Node', nodeSigning, webSigning],
  ['in browsers', webSigning, nodeSigning],
] as const

const number = (littleEndian: Uint8Array) => bytesToBigint(littleEndian.toReversed())
const scalar = (value: bigint) => fromHex(`0x${value.toString(16).padStart(64, '0')}`).toReversed()

/** RFC 8032's k. */
const challenge = (r: Uint8Array, key: Uint8Array) =>
  number(sha512(concatBytes(r, key, TEXT))) % Point.Fn.ORDER

/** A signature that fits a key of small order without anybody having a secret. */
function ofNobody(key: Uint8Array): Uint8Array {
  for (let s = 1n; ; s++) {
    const r = Point.BASE.multiply(s).toBytes()
    if (challenge(r, key) % 8n === 0n) return concatBytes(r, scalar(s))
  }
}

/** A signature whose commitment is the neutral element. */
function withoutCommitment(secret: bigint): { key: Uint8Array; signature: Uint8Array } {
  const key = Point.BASE.multiply(secret).toBytes()
  const r = Point.ZERO.toBytes()
  return { key, signature: concatBytes(r, scalar((challenge(r, key) * secret) % Point.Fn.ORDER)) }
}

/** Signatures that fulfil the equation of RFC 8032, and that nobody may take. */
function ofSmallOrder(): { key: Uint8Array; signature: Uint8Array }[] {
  const torsion = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
  const keys = Array.from({ length: 8 }, (_, n) =>
    Point.fromHex(torsion).multiplyUnsafe(BigInt(n)).toBytes(),
  )
  const beyond = fromHex(`0xee${'ff'.repeat(30)}7f`) // 1 again, beyond the prime
  const ofKeys = [...keys, beyond].map((key) => ({ key, signature: ofNobody(key) }))
  return [...ofKeys, withoutCommitment(12_345n)]
}

describe('Signatures of members', () => {
  it('are refused in a browser that takes points of small order', async () => {
    for (const { key, signature } of ofSmallOrder()) {
      assert.equal(await trusting.verify(key, TEXT, signature), false)
    }
    const { publicKey, signKey } = await trusting.keygen()
    assert.ok(await trusting.verify(publicKey, TEXT, await trusting.sign(signKey, TEXT)))
  })

  for (const [where, own, other] of ways) {
    it(`are refused ${where} when key or commitment is of small order`, async () => {
      for (const { key, signature } of ofSmallOrder()) {
        assert.equal(await own.verify(key, TEXT, signature), false)
      }
    })

    it(`are refused ${where} when anything of them was changed`, async () => {
      const { publicKey, signKey } = await own.keygen()
      const signature = await own.sign(signKey, TEXT)
      assert.equal(await own.verify(publicKey, utf8('texts'), signature), false)
      for (const at of [0, 31, 32, 63]) {
        const changed = signature.slice()
        changed[at] = (changed[at] ?? 0) ^ 1
        assert.equal(await own.verify(publicKey, TEXT, changed), false, `byte ${at}`)
      }
    })

    it(`are not made ${where} with keys of another form`, async () => {
      for (const length of [0, 32, 64]) await assert.rejects(own.sign(randomBytes(length), TEXT))
    })

    it(`are made ${where} with the keys of any platform, and verified on any`, async () => {
      const { publicKey, signKey } = await other.keygen()
      const signature = await own.sign(signKey, TEXT)
      assert.deepEqual(await other.sign(signKey, TEXT), signature)
      assert.equal(await own.verify(publicKey, TEXT, signature), true)
      assert.equal(await other.verify(publicKey, TEXT, signature), true)
    })
  }
})
