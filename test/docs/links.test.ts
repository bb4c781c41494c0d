import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { documents, ROOT, readDocument } from './support/documents.ts'

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
      const links = [...readDocument(document).matchAll(/\]\(([^)\s]+)\)/g)].map(
        ([, link = '']) => link,
      )
      for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? document : join(dirname(document), path)
        assert.ok(existsSync(join(ROOT, target)), `${link} leads nowhere`)
        if (anchor && target.endsWith('.md')) {
          assert.ok(anchorsOf(readDocument(target)).includes(anchor), `${link} names no heading`)
        }
      }
    })
  }

  it('name only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readDocument('package.json')) as {
      scripts: Record<string, string>
    }
    for (const document of documents) {
      for (const [, name = ''] of readDocument(document).matchAll(/npm run ([a-z][a-z:-]*)/g)) {
        assert.ok(Object.hasOwn(scripts, name), `${document} names npm run ${name}`)
      }
    }
  })

  it('keep the README under 200 lines', () => {
    assert.ok(readDocument('README.md').split('\n').length < 200)
  })
})
