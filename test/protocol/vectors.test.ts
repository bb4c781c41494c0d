import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { decodeContactCode } from '@mainframe/protocol'
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

  it('hold contact codes that are refused', async () => {
    const { refused } = await read('contact-code.json')
    const codes = Object.entries<string>(refused)
    assert.equal(codes.length, 6)
    for (const [what, code] of codes) {
      assert.throws(() => decodeContactCode(code), { code: 'CODEC_INVALID' }, what)
    }
  })
})
