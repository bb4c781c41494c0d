import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createKeyPair, encodeContactCode } from '@mainframe/protocol'
import { contactQr } from '@mainframe/sdk'
import decodeQR from 'qr/decode.js'

/** Pixels of a module, as a screen would have. */
const SCALE = 4

/** What our drawings consist of: a square of one module for each that is black. */
function pixelsOf(svg: string): { width: number; height: number; data: Uint8Array } {
  const side = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]) * SCALE
  const data = new Uint8Array(side * side * 4).fill(255)
  for (const [, x, y] of svg.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let i = 0; i < SCALE * SCALE; i++) {
      const column = Number(x) * SCALE + (i % SCALE)
      const row = Number(y) * SCALE + Math.floor(i / SCALE)
      data.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3)
    }
  }
  return { width: side, height: side, data }
}

it('a QR code is refused for what is no contact code', () => {
  assert.throws(() => contactQr('mf1nobody'), { code: 'CODEC_INVALID' })
})

it('a QR code of a contact code is read by another library', () => {
  const code = encodeContactCode(createKeyPair().publicKey)
  assert.equal(decodeQR(pixelsOf(contactQr(code))).toLowerCase(), code)
})
