import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { generate } from '../../../scripts/mutants/generate.ts'
import { hashOf, ROOT, readContracts } from '../../../scripts/mutants/sources.ts'
import { behaviourTests } from '../../../scripts/mutants/suite.ts'
import { isMended, readTable, TABLE_FILE, totalsOf } from '../../../scripts/mutants/table.ts'

const run = promisify(execFile)
const mutants = (...flags: string[]) =>
  run(process.execPath, ['scripts/mutants.ts', ...flags], { cwd: ROOT })

describe(TABLE_FILE, async () => {
  const table = await readTable()
  const rows = table?.mutants ?? []

  it('was made from the contracts as they stand', () => {
    const message = `contracts/ changed since ${TABLE_FILE} was made: run \`npm run mutants\``
    assert.equal(table?.sourcesSha256, hashOf(readContracts()), message)
  })

  it('has every mutant that is made today, and no other', () => {
    const ids = generate(readContracts()).map(({ id }) => id)
    const message = `the mutants changed since ${TABLE_FILE} was made: run \`npm run mutants\``
    assert.deepEqual(
      rows.map(({ id }) => id),
      ids,
      message,
    )
  })

  it('has at least 40, none of which survived', () => {
    assert.ok(rows.length >= 40, `only ${rows.length}`)
    const bad = rows.filter((row) => !isMended(row)).map(({ id, outcome }) => `${outcome}: ${id}`)
    assert.deepEqual(bad, [], 'write the missing tests and run `npm run mutants -- --missing`')
    assert.deepEqual(table?.totals, totalsOf(rows))
  })

  it('says of each which test of behaviour killed it, or why none can', () => {
    const files = new Set([...behaviourTests(), 'test/contracts'])
    for (const { id, outcome, killedBy, reason } of rows) {
      if (outcome === 'killed') assert.ok(killedBy && files.has(killedBy.file), id)
      if (outcome === 'equivalent') assert.match(reason ?? '', /^\S.{20,}\.$/, id)
    }
  })
})

describe('the hash of the sources', () => {
  it('changes with a text, a path and the border between two files', () => {
    const texts = [
      [['a', 'x']],
      [['a', 'y']],
      [['b', 'x']],
      [
        ['a', 'x'],
        ['b', 'y'],
      ],
      [['a', 'xb\ny']],
    ] as [string, string][][]
    assert.equal(new Set(texts.map((files) => hashOf(new Map(files)))).size, texts.length)
  })

  it('does not depend on the order in which files are read', () => {
    const files: [string, string][] = [
      ['a', 'x'],
      ['b', 'y'],
    ]
    assert.equal(hashOf(new Map(files)), hashOf(new Map(files.reverse())))
  })
})

describe('npm run mutants', () => {
  it('lists every mutant with its place', async () => {
    const { stdout } = await mutants('--list')
    const lines = stdout.trim().split('\n')
    assert.match(lines[0] ?? '', /^contracts\/\w+\.sol:\d+ \w+\.\w+: /)
    assert.equal(lines.at(-1), `${lines.length - 1} mutants`)
  })

  it('refuses what it does not know, in one sentence', async () => {
    for (const [flags, message] of [
      [['--bogus'], /^Unknown option '--bogus'/],
      [['--jobs', '0'], /^--jobs takes a number from 1, not "0"\.$/],
    ] as const) {
      await assert.rejects(mutants(...flags), (error: { code?: number; stderr?: string }) => {
        assert.equal(error.code, 2)
        assert.match(error.stderr?.trim() ?? '', message)
        return true
      })
    }
  })
})
