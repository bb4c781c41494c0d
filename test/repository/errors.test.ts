import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { ERROR_CODES } from '@mainframe/protocol'

const ROOT = new URL('../../', import.meta.url)
/** Where the sources of each part are. */
const FOLDERS: Record<string, string> = {
  protocol: 'protocol/src/',
  node: 'node/src/',
  indexer: 'indexer/src/',
  sdk: 'sdk/src/',
  localnet: 'localnet/src/',
  deploy: 'deploy/',
}
const PARTS = Object.keys(FOLDERS)
/** Commander wants its own class from a parser of options, to print it with the option's name. */
const ALLOWED = new Set(['MainframeError', 'InvalidArgumentError'])

/** Source files of a part with their text. */
async function sources(part: string): Promise<{ path: string; text: string }[]> {
  const folder = new URL(FOLDERS[part] ?? '', ROOT)
  const names = await readdir(folder, { recursive: true, encoding: 'utf8' })
  const paths = names.filter((name) => name.endsWith('.ts'))
  return await Promise.all(
    paths.map(async (name) => {
      const text = await readFile(new URL(name, folder), 'utf8')
      return {
        path: `${FOLDERS[part]}${name}`,
        text: text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
      }
    }),
  )
}

describe('docs/errors.md', () => {
  it('lists exactly the codes of the catalogue, each once, in its order, with advice', async () => {
    const text = await readFile(new URL('docs/errors.md', ROOT), 'utf8')
    const rows = text.split('\n').filter((line) => /^\| `[A-Z_]+` \|/.test(line))
    const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()))
    const codes = cells.map(([, code]) => code?.replaceAll('`', ''))
    assert.deepEqual(codes, Object.keys(ERROR_CODES))
    for (const [, code, meaning, advice] of cells) {
      assert.match(meaning ?? '', /^[A-Z].*\.$/, `${code} has no meaning`)
      assert.match(advice ?? '', /^[A-Z`].*\.$/, `${code} has no advice`)
    }
  })
})

describe('errors in the sources', () => {
  for (const part of PARTS) {
    it(`${part} makes no other errors than MainframeError`, async () => {
      const files = await sources(part)
      assert.ok(files.length > 0, `nothing found in ${part}`)
      const others = files.flatMap(({ path, text }) =>
        [...text.matchAll(/\bnew\s+(\w*(?:Error|Exception))\b/g)]
          .filter(([, name]) => !ALLOWED.has(name ?? ''))
          .map(([match]) => `${path}: ${match}`),
      )
      assert.deepEqual(others, [])
      const bare = files.filter(({ text }) => /\bthrow\s+(?!new\b)['"`{]/.test(text))
      assert.deepEqual(
        bare.map(({ path }) => path),
        [],
        'throws something that is no error',
      )
    })
  }

  it('every code is used somewhere', async () => {
    const texts = (await Promise.all(PARTS.map(sources))).flat()
    const used = texts
      .filter(({ path }) => path !== 'protocol/src/errors.ts')
      .map(({ text }) => text)
      .join('\n')
    const unused = Object.keys(ERROR_CODES).filter((code) => !used.includes(`'${code}'`))
    assert.deepEqual(unused, [])
  })
})
