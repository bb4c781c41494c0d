import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { CipherSuite, HkdfSha256, HkdfSha512, type KemInterface } from '@hpke/core'
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519'
import { XWing } from '@hpke/hybridkem-x-wing'
import { errorCode, utf8 } from '@mainframe/protocol'
import { primitives } from '../../../protocol/src/crypto/native.ts'
import { openCiphersuite, SUITES, type SuiteName } from '../../../sdk/src/mls/ciphersuite.ts'
import { xWing } from '../../../sdk/src/mls/xwing.ts'
import { randomBytes } from '../../../sdk/src/random.ts'

const hex = (bytes: ArrayBufferLike | Uint8Array) =>
  Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString('hex')

describe('X-Wing', () => {
  const theirs: KemInterface = new XWing()
  const ways: readonly [KemInterface, KemInterface][] = [
    [xWing, theirs],
    [theirs, xWing],
  ]

  it('refuses keys of another length', async () => {
    for (const length of [0, 31, 33, 1216]) {
      await assert.rejects(xWing.deserializePrivateKey(randomBytes(length)), (error) => {
        return errorCode(error) === 'CRYPTO_INVALID_KEY'
      })
    }
    await assert.rejects(xWing.deserializePublicKey(randomBytes(1215)), (error) => {
      return errorCode(error) === 'CRYPTO_INVALID_KEY'
    })
  })

  it('opens nothing of another length, and agrees on nothing with a changed ciphertext', async () => {
    const { publicKey, privateKey } = await xWing.generateKeyPair()
    const { enc, sharedSecret } = await xWing.encap({ recipientPublicKey: publicKey })
    const changed = new Uint8Array(enc.slice(0))
    changed[700] = (changed[700] ?? 0) ^ 1
    const other = await xWing.decap({ recipientKey: privateKey, enc: changed.buffer })
    assert.notEqual(hex(other), hex(sharedSecret))
    await assert.rejects(xWing.decap({ recipientKey: privateKey, enc: enc.slice(1) }))
  })

  it('derives the keys that another library derives', async () => {
    const material = randomBytes(64)
    const [own, other] = await Promise.all(
      [xWing, theirs].map(async (kem) => {
        const { publicKey, privateKey } = await kem.deriveKeyPair(material.buffer)
        return [await kem.serializePrivateKey(privateKey), await kem.serializePublicKey(publicKey)]
      }),
    )
    assert.deepEqual(own?.map(hex), other?.map(hex))
  })

  it('agrees with another library, in both directions', async () => {
    for (const [sender, recipient] of ways) {
      const pair = await recipient.generateKeyPair()
      const bytes = await recipient.serializePublicKey(pair.publicKey)
      const recipientPublicKey = await sender.deserializePublicKey(bytes)
      const { enc, sharedSecret } = await sender.encap({ recipientPublicKey })
      const opened = await recipient.decap({ recipientKey: pair.privateKey, enc })
      assert.equal(hex(opened), hex(sharedSecret))
    }
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
      const { hpke } = await openCiphersuite(suite)
      const { publicKey, privateKey } = await hpke.generateKeyPair()
      const { ct, enc } = await hpke.seal(publicKey, text, info, aad)
      await assert.rejects(hpke.open(privateKey, enc, ct, info, info), { name: 'CryptoError' })
      ct[0] = (ct[0] ?? 0) ^ 1
      await assert.rejects(hpke.open(privateKey, enc, ct, info, aad), { name: 'CryptoError' })
      const [key, nonce] = [randomBytes(32), randomBytes(12)]
      const sealed = await hpke.encryptAead(key, nonce, aad, text)
      await assert.rejects(hpke.decryptAead(key, nonce, info, sealed), { name: 'CryptoError' })
      assert.deepEqual(await hpke.decryptAead(key, nonce, aad, sealed), text)
    })

    it('seals what another library opens', async () => {
      const { hpke } = await openCiphersuite(suite)
      const { publicKey, privateKey } = await other.kem.generateKeyPair()
      const bytes = new Uint8Array(await other.kem.serializePublicKey(publicKey))
      const { ct, enc } = await hpke.seal(await hpke.importPublicKey(bytes), text, info, aad)
      const recipient = { recipientKey: privateKey, enc: Uint8Array.from(enc).buffer, info }
      assert.equal(hex(await other.open(recipient, Uint8Array.from(ct).buffer, aad)), hex(text))
    })

    it('opens what another library seals, and agrees on what it exports', async () => {
      const { hpke } = await openCiphersuite(suite)
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
      const { signature } = await openCiphersuite(suite)
      const { publicKey, signKey } = await signature.keygen()
      const signed = await signature.sign(signKey, text)
      assert.ok(primitives.ed25519Verify(publicKey, text, signed))
      assert.equal(await signature.verify(publicKey, text, signed), true)
      assert.equal(await signature.verify(publicKey, aad, signed), false)
    })
  })
}
