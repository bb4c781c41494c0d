import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' })
  .trim()
  .split('\n')

/** Anchors as forges make them from headings. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe('the documents', () => {
  it('are there', () => {
    for (const file of [
      'README.md',
      'PROTOCOL.md',
      'SECURITY.md',
      'docs/sdk.md',
      'docs/relay.md',
    ]) {
      assert.ok(documents.includes(file), file)
    }
  })

  for (const document of documents) {
    it(`${document} links to files and headings that exist`, () => {
      const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
      for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? document : join(dirname(document), path)
        assert.ok(existsSync(join(ROOT, target)), `${link} leads nowhere`)
        if (anchor && target.endsWith('.md')) {
          assert.ok(anchorsOf(read(target)).includes(anchor), `${link} names no heading`)
        }
      }
    })
  }

  it('name only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const document of documents) {
      for (const [, name = ''] of read(document).matchAll(/npm run ([a-z][a-z:-]*)/g)) {
        assert.ok(Object.hasOwn(scripts, name), `${document} names npm run ${name}`)
      }
    }
  })

  it('keep the README under 200 lines', () => {
    assert.ok(read('README.md').split('\n').length < 200)
  })
})
