import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { createKeyPair, fromHex } from '@mainframe/protocol'
import { primitives } from '../../../protocol/src/crypto/native.ts'
import { openWebCrypto } from '../../../sdk/src/platform/web-crypto.ts'
import { randomBytes } from '../../../sdk/src/random.ts'

const { subtle } = globalThis.crypto

/** WebCrypto with another way to do one thing. */
function subtleWith(changes: Partial<SubtleCrypto>): SubtleCrypto {
  return new Proxy(subtle, {
    get: (target, name: keyof SubtleCrypto) => changes[name] ?? target[name].bind(target),
  })
}

describe('WebCrypto', () => {
  it('is left alone where there is none, or no X25519, or a wrong one', async () => {
    assert.equal(
      await openWebCrypto(
        subtleWith({ importKey: () => Promise.reject(new TypeError('X25519?')) }),
      ),
      undefined,
    )
    const wrong = subtleWith({ deriveBits: async () => new ArrayBuffer(32) })
    assert.equal(await openWebCrypto(wrong), undefined)
  })

  it('gives nothing for points of low order and for keys of another length', async () => {
    const aside = await openWebCrypto()
    const own = createKeyPair()
    for (const theirs of [
      new Uint8Array(32),
      fromHex(`0x01${'00'.repeat(31)}`),
      new Uint8Array(31),
    ]) {
      assert.equal(await aside?.x25519(own, theirs), undefined)
    }
  })

  it('agrees on what the protocol agrees on, also with a key that is part of something larger', async () => {
    const aside = (await openWebCrypto()) ?? assert.fail('Node has X25519')
    const own = createKeyPair()
    for (let i = 0; i < 100; i++) {
      const theirs = randomBytes(96).subarray(i % 64, (i % 64) + 32)
      const agreed = primitives.x25519(own.secretKey, theirs)
      assert.deepEqual(await aside.x25519(own, theirs), agreed)
    }
  })

  it('hashes as everybody does', async () => {
    const aside = await openWebCrypto()
    const bytes = randomBytes(2048)
    const expected = createHash('sha256').update(bytes).digest()
    assert.deepEqual(Buffer.from((await aside?.sha256(bytes)) ?? []), expected)
  })
})
