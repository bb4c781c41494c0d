import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import {
  CONTENT_BYTES,
  CREDIT_OUTCOMES,
  decodeFrame,
  encodeFrame,
  encodeHeader,
  type FrameType,
  LINK_PROTOCOL,
  MAX_REFUSALS,
  PACKET_REFUSALS,
  postageTable,
  RELEASE_OUTCOMES,
  registrationMessage,
  SIGNED_QUOTE_BYTES,
} from '@mainframe/protocol'

const text = await readFile(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')

/** The rows of the first table under a heading that starts with these columns, as lists of cells. */
function table(heading: string, ...columns: string[]): string[][] {
  const lines = text.slice(text.indexOf(`\n${heading}`)).split('\n')
  const start = lines.findIndex((line) => line.trim().startsWith(`| ${columns.join(' | ')}`))
  assert.ok(start > 0, `no table ${columns} under ${heading}`)
  const rest = lines.slice(start + 2)
  const end = rest.findIndex((line) => !line.trim().startsWith('|'))
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''))
  return rest.slice(0, end).map(cells)
}

describe('PROTOCOL.md', () => {
  it('gives refusals, voucher outcomes and frame types the numbers that the code gives them', () => {
    const refusals = table('### 3.2', 'code', 'refusal').map(([code, name]) => [Number(code), name])
    assert.deepEqual(
      refusals,
      PACKET_REFUSALS.map((name, code) => [code, name]),
    )
    const outcomes = table('### 4.2', 'code', 'outcome').map(([code, name]) => [Number(code), name])
    assert.deepEqual(
      outcomes,
      CREDIT_OUTCOMES.map((name, code) => [code, name]),
    )
    const ends = table('### 4.3', 'code', 'outcome').map(([code, name]) => [Number(code), name])
    assert.deepEqual(
      ends,
      RELEASE_OUTCOMES.map((name, code) => [code, name]),
    )
    for (const [code = '', name = ''] of table('## 3.', 'code', 'type')) {
      const frame = encodeFrame({ type: name.toLowerCase() as FrameType })
      assert.equal(frame[0], Number(code), name)
      assert.ok(decodeFrame(frame), name)
    }
  })

  it('has offsets that follow from the sizes before them', () => {
    const tables = [
      table('### 1.1', 'offset', 'bytes', 'field').slice(0, 6),
      table('## 3.', 'offset', 'bytes', 'field'),
      table('### 3.1', 'offset', 'bytes', 'field'),
      table('### 3.2', 'offset', 'bytes', 'field').slice(0, 6),
      table('### 4.1', 'offset', 'bytes', 'field'),
      table('### 4.2', 'offset', 'bytes', 'field'),
      table('### 4.3', 'offset', 'bytes', 'field'),
      table('## 7.', 'offset', 'bytes', 'field'),
    ]
    for (const rows of tables) {
      let offset = 0
      for (const [at, bytes, field] of rows) {
        assert.equal(Number(at), offset, field)
        offset += Number(bytes)
      }
    }
    assert.match(text, new RegExp(`count of refusals, at most ${MAX_REFUSALS} `))
    assert.match(text, new RegExp(`\\| 31 \\| ${SIGNED_QUOTE_BYTES} \\| signed quote`))
  })

  it('names sizes and strings as the code has them', () => {
    assert.ok(text.includes(LINK_PROTOCOL))
    const [three, two, one, none] = CONTENT_BYTES
    assert.ok(text.includes(`n is one of ${three}, ${two}, ${one} and ${none}`))
    const account = new Uint8Array(20)
    const message = registrationMessage({ chainId: 1n, registry: account, operator: account })
    assert.ok(text.includes(`(account), ${message.length} bytes`))
    const header = encodeHeader({ luminosity: 0, address: new Uint8Array(32), expiryMinutes: 5 })
    assert.ok(text.includes(`Bytes 0 to ${header.length - 1} are the *header*`))
  })

  it('computes its example of a postage table right', () => {
    const relays = [80, 100, 120].map((routeUnits) => ({ routeUnits, holdUnitsPerHour: 10 }))
    const row = postageTable({ relays, destinations: 8, luminosity: 0 })['1h']
    assert.ok(text.replaceAll('\n', ' ').includes(`The row is ${row.join(', ')}.`))
  })
})
