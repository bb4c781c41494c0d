import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { SETTINGS } from '../../indexer/src/config.ts'
import { METRICS } from '../../indexer/src/http/metrics.ts'

const docs = readFileSync(new URL('../../docs/indexer.md', import.meta.url), 'utf8')

describe('docs/indexer.md', () => {
  it('lists exactly the settings there are, with their defaults', () => {
    const [, section = ''] = docs.split('## Settings')
    const lines = (section.split('## ')[0] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| '))
    const cells = lines.map((line) => line.split('|').slice(1, -1))
    const listed = cells.slice(1).map((row) => {
      const [name, flag, variable, value] = row.map((cell) => cell.replaceAll('`', '').trim())
      return { name, flag, variable, default: value }
    })
    const real = SETTINGS.map(({ name, flag, variable, default: value }) => {
      return { name, flag, variable, default: String(value ?? '') }
    })
    assert.deepEqual(listed, real)
  })

  it('lists exactly the metrics there are', () => {
    const [, section = ''] = docs.split('## Metrics')
    const listed = [...(section.split('## ')[0] ?? '').matchAll(/`((?:indexer|process)_\w+)`/g)]
    assert.deepEqual(
      listed.map(([, name]) => name),
      Object.keys(METRICS),
    )
  })
})
