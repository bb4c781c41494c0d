import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { CipherSuite, HkdfSha256 } from '@hpke/core'
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519'
import { createHpke, fromHex, type Hpke, toHex, utf8 } from '@mainframe/protocol'
import fc from 'fast-check'
import { primitives as native } from '../../../protocol/src/crypto/native.ts'
import { primitives as portable } from '../../../protocol/src/crypto/portable.ts'
import { bytes, bytesUpTo, flipBit } from '../support/arbitraries.ts'

const INFO = utf8('mainframe/packet/1')
const both = (info: Uint8Array): readonly (readonly [string, Hpke])[] => [
  ['native', createHpke(native, info)],
  ['portable', createHpke(portable, info)],
]
const ours = both(INFO)
/** Another library's implementation of the same suite. */
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
})
const arrayBuffer = (data: Uint8Array) => Uint8Array.from(data).buffer
const pairOf = (secretKey: Uint8Array) => ({
  secretKey,
  publicKey: native.x25519PublicKey(secretKey),
})

/** RFC 9180 Appendix A.2.1: base mode of the suite that packets use. */
const RFC_A2 = {
  info: '4f6465206f6e2061204772656369616e2055726e',
  enc: '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a',
  ephemeralSecret: 'f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600',
  receiverPublic: '4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a',
  receiverSecret: '8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb',
  key: 'ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91',
  baseNonce: '5c4d98150661b848853b547f',
  text: '4265617574792069732074727574682c20747275746820626561757479',
  sealed: {
    0: '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
    1: '6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c',
    2: '71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b',
    4: '63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16',
    255: '18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b8880a5f6b3936da9cd6c23ef2a95c',
  },
} as const
const hex = (digits: string) => fromHex(`0x${digits}`)

describe('HPKE: RFC 9180 Appendix A.2', () => {
  for (const [name, primitives] of [
    ['native', native],
    ['portable', portable],
  ] as const) {
    const hpke = createHpke(primitives, hex(RFC_A2.info))
    const receiver = {
      secretKey: hex(RFC_A2.receiverSecret),
      publicKey: hex(RFC_A2.receiverPublic),
    }

    it(`${name}: enc, key and nonce are the published ones on both sides`, () => {
      const sender = hpke.setupSender(receiver.publicKey, hex(RFC_A2.ephemeralSecret))
      const context = hpke.setupReceiver(hex(RFC_A2.enc), receiver)
      assert.ok(sender && context)
      assert.equal(toHex(sender.enc), `0x${RFC_A2.enc}`)
      assert.deepEqual(sender.context, context)
      assert.equal(toHex(context.key), `0x${RFC_A2.key}`)
      assert.equal(toHex(context.baseNonce), `0x${RFC_A2.baseNonce}`)
    })

    it(`${name}: seals and opens the published ciphertexts`, () => {
      const context = hpke.setupReceiver(hex(RFC_A2.enc), receiver)
      assert.ok(context)
      for (const [number, sealed] of Object.entries(RFC_A2.sealed)) {
        const sequence = Number(number)
        const aad = utf8(`Count-${sequence}`)
        const made = hpke.seal(context, { sequence, aad, text: hex(RFC_A2.text) })
        assert.equal(toHex(made), `0x${sealed}`)
        const opened = hpke.open(context, { sequence, aad, text: hex(sealed) })
        assert.equal(opened && toHex(opened), `0x${RFC_A2.text}`)
      }
    })
  }
})

describe('HPKE: what must not open', () => {
  for (const [name, hpke] of ours) {
    it(`${name}: low-order keys give no context on either side`, () => {
      const zero = new Uint8Array(32)
      assert.equal(hpke.setupSender(zero), undefined)
      assert.equal(hpke.setupReceiver(zero, pairOf(new Uint8Array(32).fill(1))), undefined)
    })

    it(`${name}: another key, enc, info, sequence, aad or text opens nothing`, () => {
      const receiver = pairOf(new Uint8Array(32).fill(1))
      const sender = hpke.setupSender(receiver.publicKey)
      assert.ok(sender)
      const { enc, context } = sender
      const aad = utf8('aad')
      const text = hpke.seal(context, { sequence: 1, aad, text: utf8('text') })
      assert.ok(hpke.open(context, { sequence: 1, aad, text }))
      assert.equal(hpke.open(context, { sequence: 0, aad, text }), undefined)
      assert.equal(hpke.open(context, { sequence: 1, aad: utf8('bad'), text }), undefined)
      assert.equal(hpke.open(context, { sequence: 1, aad, text: flipBit(text, 2, 2) }), undefined)
      const others = [
        hpke.setupReceiver(enc, pairOf(new Uint8Array(32).fill(2))),
        hpke.setupReceiver(flipBit(enc, 4, 4), receiver),
        createHpke(native, utf8('mainframe/packet/2')).setupReceiver(enc, receiver),
      ]
      for (const other of others) {
        assert.ok(other)
        assert.equal(hpke.open(other, { sequence: 1, aad, text }), undefined)
      }
    })
  }
})

describe('HPKE: three implementations agree', () => {
  const twoMessages = fc.record({
    secret: bytes(32),
    ephemeral: bytes(32),
    info: fc.oneof(fc.constant(INFO), bytesUpTo(200)),
    aad: bytesUpTo(300),
    first: bytesUpTo(40),
    second: bytesUpTo(2000),
  })

  it('native and portable make the same bytes', () => {
    fc.assert(
      fc.property(twoMessages, ({ secret, ephemeral, info, aad, first, second }) => {
        const made = both(info).map(([, hpke]) => {
          const sender = hpke.setupSender(pairOf(secret).publicKey, ephemeral)
          assert.ok(sender)
          const texts = [first, second].map((text, sequence) =>
            toHex(hpke.seal(sender.context, { sequence, aad, text })),
          )
          return [toHex(sender.enc), ...texts]
        })
        assert.deepEqual(made[0], made[1])
      }),
      { numRuns: 25 },
    )
  })

  it('what @hpke/core seals, both of ours open', async () => {
    await fc.assert(
      fc.asyncProperty(twoMessages, async ({ secret, info, aad, first, second }) => {
        const receiver = pairOf(secret)
        const recipientPublicKey = await suite.kem.importKey('raw', arrayBuffer(receiver.publicKey))
        const sender = await suite.createSenderContext({
          recipientPublicKey,
          info: arrayBuffer(info),
        })
        const texts = [first, second]
        const sealed: Uint8Array[] = []
        for (const text of texts) {
          sealed.push(new Uint8Array(await sender.seal(arrayBuffer(text), arrayBuffer(aad))))
        }
        for (const [, hpke] of both(info)) {
          const context = hpke.setupReceiver(new Uint8Array(sender.enc), receiver)
          assert.ok(context)
          sealed.forEach((text, sequence) => {
            assert.deepEqual(hpke.open(context, { sequence, aad, text }), texts[sequence])
          })
        }
      }),
      { numRuns: 20 },
    )
  })

  it('what either of ours seals, @hpke/core opens', async () => {
    await fc.assert(
      fc.asyncProperty(twoMessages, async ({ secret, ephemeral, info, aad, first, second }) => {
        const receiver = pairOf(secret)
        const recipientKey = await suite.kem.importKey('raw', arrayBuffer(secret), false)
        for (const [, hpke] of both(info)) {
          const sender = hpke.setupSender(receiver.publicKey, ephemeral)
          assert.ok(sender)
          const recipient = await suite.createRecipientContext({
            recipientKey,
            enc: arrayBuffer(sender.enc),
            info: arrayBuffer(info),
          })
          for (const [sequence, text] of [first, second].entries()) {
            const sealed = hpke.seal(sender.context, { sequence, aad, text })
            const opened = await recipient.open(arrayBuffer(sealed), arrayBuffer(aad))
            assert.deepEqual(new Uint8Array(opened), text)
          }
        }
      }),
      { numRuns: 15 },
    )
  })
})
