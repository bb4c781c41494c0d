import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeContactCode, encodeContactCode } from '@mainframe/protocol'
import { bech32, bech32m } from '@scure/base'
import fc from 'fast-check'
import { bytes } from './support/arbitraries.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i)
const CODE = encodeContactCode(KEY)
const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'

describe('contact codes: what is no code', () => {
  it('detects every single wrong character, and every swap of neighbours', () => {
    for (let i = 3; i < CODE.length; i++) {
      for (const character of ALPHABET) {
        if (character === CODE[i]) continue
        const typo = CODE.slice(0, i) + character + CODE.slice(i + 1)
        assert.throws(() => decodeContactCode(typo), { code: 'CODEC_INVALID' }, typo)
      }
      const swapped = CODE.slice(0, i) + (CODE[i + 1] ?? '') + (CODE[i] ?? '') + CODE.slice(i + 2)
      if (swapped === CODE) continue
      assert.throws(() => decodeContactCode(swapped), { code: 'CODEC_INVALID' }, swapped)
    }
  })

  it('refuses other prefixes, other lengths, the older checksum, mixed case, and other text', () => {
    const payload = Uint8Array.of(0, ...KEY)
    const codes = [
      bech32m.encodeFromBytes('bc', payload),
      bech32m.encodeFromBytes('mf', payload.subarray(1)),
      bech32m.encodeFromBytes('mf', Uint8Array.of(...payload, 0)),
      bech32m.encodeFromBytes('mf', new Uint8Array(0)),
      bech32.encodeFromBytes('mf', payload),
      `M${CODE.slice(1)}`,
      CODE.slice(0, -1),
      `${CODE}q`,
      '',
      'mf1',
      'alice@example.org',
      `mf1${'q'.repeat(5000)}`,
    ]
    for (const code of codes) {
      assert.throws(
        () => decodeContactCode(code),
        { code: 'CODEC_INVALID', message: /copy it as a whole/ },
        code,
      )
    }
  })

  it('says that a code of a later version is newer, whatever its length', () => {
    for (const length of [32, 33, 1216 / 8, 600]) {
      const code = bech32m.encode(
        'mf',
        bech32m.toWords(Uint8Array.of(1, ...new Uint8Array(length - 1))),
        false,
      )
      assert.throws(() => decodeContactCode(code), { code: 'CODEC_INVALID', message: /newer/ })
    }
  })

  it('does not make a code of a key of another length', () => {
    assert.throws(() => encodeContactCode(KEY.subarray(1)), { code: 'CRYPTO_INVALID_KEY' })
  })
})

describe('contact codes', () => {
  it('round trip, in lower and in upper case, with blanks around', () => {
    fc.assert(
      fc.property(bytes(32), (key) => {
        const code = encodeContactCode(key)
        assert.match(code, /^mf1[02-9ac-hj-np-z]{59}$/)
        assert.deepEqual(decodeContactCode(code), key)
        assert.deepEqual(decodeContactCode(` ${code.toUpperCase()}\n`), key)
      }),
    )
  })
})
