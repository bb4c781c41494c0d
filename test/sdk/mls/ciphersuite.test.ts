import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { CipherSuite, HkdfSha256, HkdfSha512, type KemInterface } from '@hpke/core'
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519'
import { XWing } from '@hpke/hybridkem-x-wing'
import { utf8 } from '@mainframe/protocol'
import { primitives } from '../../../protocol/src/crypto/native.ts'
import { openCiphersuite, SUITES, type SuiteName } from '../../../sdk/src/mls/ciphersuite.ts'
import { dhKem, type Kem, xWingKem } from '../../../sdk/src/mls/kems.ts'
import { randomBytes } from '../../../sdk/src/random.ts'

const hex = (bytes: ArrayBufferLike | Uint8Array) =>
  Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString('hex')

/** Every mechanism beside another library's. */
const KEMS: readonly [string, Kem, KemInterface][] = [
  ['X25519', dhKem, new DhkemX25519HkdfSha256()],
  ['X-Wing', xWingKem, new XWing()],
]

for (const [name, kem, other] of KEMS) {
  describe(name, () => {
    it('takes no key and no encapsulated secret of another length', () => {
      const pair = kem.pairOf(randomBytes(32))
      const { enc } = kem.encapsulate(pair.publicKey)
      for (const length of [0, 31, 33]) assert.throws(() => kem.pairOf(randomBytes(length)))
      for (const bytes of [new Uint8Array(0), enc.subarray(1), Uint8Array.of(...enc, 0)]) {
        assert.throws(() => kem.decapsulate(pair, bytes))
      }
      assert.throws(() => kem.encapsulate(pair.publicKey.subarray(1)))
    })

    it('agrees on nothing by an encapsulated secret that was changed', () => {
      const pair = kem.pairOf(randomBytes(32))
      const { enc, secret } = kem.encapsulate(pair.publicKey)
      enc[9] = (enc[9] ?? 0) ^ 1
      assert.notDeepEqual(kem.decapsulate(pair, enc), secret)
    })

    it('derives the keys that another library derives', async () => {
      const material = randomBytes(64)
      const { secretKey, publicKey } = kem.derive(material)
      const theirs = await other.deriveKeyPair(material.buffer)
      assert.equal(hex(await other.serializePrivateKey(theirs.privateKey)), hex(secretKey))
      assert.equal(hex(await other.serializePublicKey(theirs.publicKey)), hex(publicKey))
    })

    it('agrees with another library, in both directions', async () => {
      const secretKey = randomBytes(32)
      const pair = kem.pairOf(secretKey)
      const recipientKey = await other.deserializePrivateKey(secretKey.buffer)
      const { enc, secret } = kem.encapsulate(pair.publicKey)
      const opened = await other.decap({ recipientKey, enc: Uint8Array.from(enc).buffer })
      assert.equal(hex(opened), hex(secret))
      const publicKey = Uint8Array.from(pair.publicKey).buffer
      const recipientPublicKey = await other.deserializePublicKey(publicKey)
      const sent = await other.encap({ recipientPublicKey })
      assert.equal(hex(kem.decapsulate(pair, new Uint8Array(sent.enc))), hex(sent.sharedSecret))
    })
  })
}

describe('X25519', () => {
  it('agrees on nothing with a point of low order', () => {
    assert.throws(() => dhKem.encapsulate(new Uint8Array(32)), { code: 'CRYPTO_INVALID_KEY' })
  })
})

/** The same suites, of parts that are all from another library. */
const OTHERS = {
  xwing: { kem: new XWing(), kdf: new HkdfSha512(), aead: new Chacha20Poly1305() },
  x25519: { kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Chacha20Poly1305() },
}

for (const suite of Object.keys(SUITES) as SuiteName[]) {
  describe(`The ciphersuite ${suite}`, () => {
    const info = utf8('info')
    const aad = utf8('aad')
    const text = utf8('text')
    const other = new CipherSuite(OTHERS[suite])

    it('opens nothing that was changed', async () => {
      const { hpke } = openCiphersuite(suite)
      const { publicKey, privateKey } = await hpke.generateKeyPair()
      const { ct, enc } = await hpke.seal(publicKey, text, info, aad)
      await assert.rejects(hpke.open(privateKey, enc, ct, info, info), { code: 'CODEC_INVALID' })
      ct[0] = (ct[0] ?? 0) ^ 1
      await assert.rejects(hpke.open(privateKey, enc, ct, info, aad), { code: 'CODEC_INVALID' })
      const [key, nonce] = [randomBytes(32), randomBytes(12)]
      const sealed = await hpke.encryptAead(key, nonce, aad, text)
      await assert.rejects(hpke.decryptAead(key, nonce, info, sealed), { code: 'CODEC_INVALID' })
      assert.deepEqual(await hpke.decryptAead(key, nonce, aad, sealed), text)
    })

    it('has one error for keys of a wrong form, also within messages', async () => {
      const { hpke } = openCiphersuite(suite)
      const { privateKey } = await hpke.generateKeyPair()
      const none = new Uint8Array(0)
      const error = { code: 'CRYPTO_INVALID_KEY' }
      await assert.rejects(hpke.importPublicKey(none), error)
      await assert.rejects(hpke.importPrivateKey(none), error)
      await assert.rejects(hpke.open(privateKey, none, text, info), error)
      await assert.rejects(hpke.importSecret(privateKey, aad, none, 32, info), error)
    })

    it('gives keys that can be taken in again', async () => {
      const { hpke } = openCiphersuite(suite)
      const pair = await hpke.generateKeyPair()
      const secret = await hpke.exportPrivateKey(pair.privateKey)
      const { ct, enc } = await hpke.seal(pair.publicKey, text, info)
      const again = await hpke.importPrivateKey(secret)
      assert.deepEqual(await hpke.open(again, enc, ct, info), text)
    })

    it('seals what another library opens', async () => {
      const { hpke } = openCiphersuite(suite)
      const { publicKey, privateKey } = await other.kem.generateKeyPair()
      const bytes = new Uint8Array(await other.kem.serializePublicKey(publicKey))
      const { ct, enc } = await hpke.seal(await hpke.importPublicKey(bytes), text, info, aad)
      const recipient = { recipientKey: privateKey, enc: Uint8Array.from(enc).buffer, info }
      assert.equal(hex(await other.open(recipient, Uint8Array.from(ct).buffer, aad)), hex(text))
    })

    it('opens what another library seals, and agrees on what it exports', async () => {
      const { hpke } = openCiphersuite(suite)
      const own = await hpke.generateKeyPair()
      const bytes = await hpke.exportPublicKey(own.publicKey)
      const recipientPublicKey = await other.kem.deserializePublicKey(Uint8Array.from(bytes).buffer)
      const sender = await other.createSenderContext({ recipientPublicKey, info })
      const enc = new Uint8Array(sender.enc)
      const sealed = new Uint8Array(await sender.seal(text, aad))
      assert.deepEqual(await hpke.open(own.privateKey, enc, sealed, info, aad), text)
      const exported = await hpke.importSecret(own.privateKey, aad, enc, 32, info)
      assert.equal(hex(exported), hex(await sender.export(aad, 32)))
    })

    it('signs as the protocol verifies, and verifies nothing else', async () => {
      const { signature } = openCiphersuite(suite)
      const { publicKey, signKey } = await signature.keygen()
      const signed = await signature.sign(signKey, text)
      assert.ok(primitives.ed25519Verify(publicKey, text, signed))
      assert.equal(await signature.verify(publicKey, text, signed), true)
      assert.equal(await signature.verify(publicKey, aad, signed), false)
    })
  })
}
