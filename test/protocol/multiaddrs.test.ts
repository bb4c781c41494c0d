import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeMultiaddrs, type Hex, toHex } from '@mainframe/protocol'
import fc from 'fast-check'

const hexOf = (text: string) => toHex(new TextEncoder().encode(text))

describe('the multiaddrs of a record', () => {
  it('are what is printable and starts with a slash, whatever the bytes', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }).map(hexOf),
      fc.uint8Array().map((bytes): Hex => toHex(bytes)),
    )
    fc.assert(
      fc.property(hostile, (bytes) => {
        for (const line of decodeMultiaddrs(bytes)) assert.match(line, /^\/[\x21-\x7e]+$/)
      }),
    )
  })

  it('leaves out lines that are no addresses, and too many of them', () => {
    const lines = [
      '/ip4/127.0.0.1/tcp/1',
      '',
      'http://x',
      '/a b',
      '/nul\0',
      `/${'a'.repeat(255)}`,
      '/dns4/b',
    ]
    assert.deepEqual(decodeMultiaddrs(hexOf(lines.join('\n'))), ['/ip4/127.0.0.1/tcp/1', '/dns4/b'])
    const many = Array.from({ length: 40 }, (_, i) => `/a/${i}`)
    assert.deepEqual(decodeMultiaddrs(hexOf(many.join('\n'))), many.slice(0, 16))
    assert.deepEqual(decodeMultiaddrs('0x'), [])
  })
})
