import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import {
  CONTENT_BYTES,
  createKeyPair,
  decodeContactCode,
  decodeInstruction,
  fromHex,
  openPacket,
  packetId,
  toHex,
} from '@mainframe/protocol'
import { buildVectors, VECTORS_FOLDER } from '../../scripts/build-vectors.ts'

const run = promisify(execFile)
const committed = async () => {
  const names = await readdir(VECTORS_FOLDER)
  const texts = names.map((name) => readFile(new URL(name, VECTORS_FOLDER), 'utf8'))
  return Object.fromEntries((await Promise.all(texts)).map((text, i) => [names[i], text]))
}
const read = async (name: string) => JSON.parse((await committed())[name] ?? '')

describe('test vectors', () => {
  it('are what the code makes with its native primitives', async () => {
    assert.deepEqual(buildVectors(), await committed())
  })

  it('are what the code makes with its portable primitives', async () => {
    const hook = new URL('support/use-portable.ts', import.meta.url).href
    const script = new URL('../../scripts/build-vectors.ts', import.meta.url).href
    const program = `
      import { buildVectors } from ${JSON.stringify(script)}
      const objects = process.report.getReport().sharedObjects
      const native = objects.some((path) => path.includes('sodium'))
      process.stdout.write(JSON.stringify({ vectors: buildVectors(), native }))
    `
    const args = ['--import', hook, '--input-type=module', '--eval', program]
    const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 24 })
    const { vectors, native } = JSON.parse(stdout)
    assert.equal(native, false, 'libsodium was loaded: the portable primitives were not in use')
    assert.deepEqual(vectors, await committed())
  })

  it('say of every tampered packet what opening it gives', async () => {
    const { open } = await read('seal.json')
    const outcomes = Object.fromEntries(
      open.map(({ changed, outcome }: { changed: string; outcome: string }) => [changed, outcome]),
    )
    assert.deepEqual(outcomes, {
      nothing: 'opened',
      padding: 'opened',
      'version of the header': 'unopened',
      'expiry in the header': 'unopened',
      'encapsulated key': 'unopened',
      'sealed length': 'unopened',
      'tag of the sealed length': 'unopened',
      'sealed content': 'damaged',
      'tag of the sealed content': 'damaged',
    })
  })

  it('hold onions that peel to what they say, leg by leg', async () => {
    const { hops, innermost, onions } = await read('onion.json')
    const sizes = new Set<number>()
    for (const { instruction, hops: count, legs } of onions) {
      assert.equal(legs.length, count + 1)
      for (const [i, { layer, padding, contentBytes, packetId: id }] of legs.entries()) {
        const packet = fromHex(layer + padding.slice(2), 2048)
        assert.equal(toHex(packetId(packet)), id)
        const keys = i < count ? hops[i] : innermost
        const content = openPacket(packet, createKeyPair(fromHex(keys.secretKey)))
        assert.ok(typeof content !== 'string', `leg ${i} of ${count} is ${content}`)
        assert.equal(content.length, contentBytes)
        sizes.add(contentBytes)
        const opened = decodeInstruction(content)
        if (i < count) {
          assert.ok(opened?.kind === 'forward')
          const { delayMs, postageUnits, inner } = opened
          assert.deepEqual([delayMs, postageUnits], [keys.delayMs, keys.postageUnits])
          assert.equal(toHex(inner), legs[i + 1].layer)
        } else assert.equal(opened?.kind, instruction.kind)
      }
    }
    const kinds = onions.map((o: { instruction: { kind: string }; hops: number }) => [
      o.instruction.kind,
      o.hops,
    ])
    const expected = ['message', 'drop'].flatMap((kind) => [0, 1, 2, 3].map((n) => [kind, n]))
    assert.deepEqual(kinds, expected)
    assert.deepEqual([...sizes].sort(), [...CONTENT_BYTES].sort())
  })

  it('hold the header whose luminosity would take 33 bytes of address, as malformed', async () => {
    const { decode } = await read('headers.json')
    const found = decode.cases.find(({ header }: { header: string }) =>
      header.startsWith('0x010108'),
    )
    assert.equal(found?.outcome, 'malformed')
  })

  it('hold contact codes that are refused', async () => {
    const { refused } = await read('contact-code.json')
    const codes = Object.entries<string>(refused)
    assert.equal(codes.length, 6)
    for (const [what, code] of codes) {
      assert.throws(() => decodeContactCode(code), { code: 'CODEC_INVALID' }, what)
    }
  })
})
