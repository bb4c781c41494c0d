import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { check, hasZ3, readSource } from '../../scripts/prove/checker.ts'
import { FAULTS, PROPERTIES } from '../../scripts/prove/claims.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const prove = (args: string[], path = process.env['PATH']) =>
  spawnSync(process.execPath, ['scripts/prove.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  })

describe('npm run prove', () => {
  it('says in one sentence that it needs z3, and ends with 2, where there is none', () => {
    const { status, stdout, stderr } = prove([], '')
    assert.equal(status, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^The proofs need z3, .* install Debian's package z3\.\n$/)
  })

  it('refuses a flag it does not know, and explains itself', () => {
    assert.equal(prove(['--jsn']).status, 2)
    assert.match(prove(['--help']).stdout, /npm run prove/)
  })

  it('has every model of proofs/ among its properties, and a fault for each', () => {
    const models = readdirSync(new URL('../../proofs/', import.meta.url))
      .map((name) => name.replace('.sol', ''))
      .filter((name) => name !== 'OneChannel')
    assert.deepEqual(PROPERTIES.map(({ model }) => model).sort(), models.sort())
    assert.deepEqual([...new Set(FAULTS.map(({ breaks }) => breaks))].sort(), models.sort())
  })

  it('knows faults that still fit their sources, and that change them', () => {
    for (const fault of FAULTS) {
      const changed = readSource(fault.file, fault)
      assert.notEqual(changed, readSource(fault.file), fault.what)
    }
    const stale = { file: 'proofs/OneChannel.sol', from: 'no such text', to: '' }
    assert.throws(() => readSource(stale.file, stale), /mend the fault/)
  })

  it('has a model that uses the arithmetic that ships', () => {
    const model = readFileSync(new URL('../../proofs/OneChannel.sol', import.meta.url), 'utf8')
    const library = readFileSync(
      new URL('../../contracts/libraries/ChannelMath.sol', import.meta.url),
      'utf8',
    )
    const functions = [...library.matchAll(/function (\w+)\(/g)].map(([, name]) => name)
    assert.equal(functions.length, 3)
    for (const name of functions) assert.ok(model.includes(`ChannelMath.${name}(`), name)
  })

  it('takes what the solver did not decide for neither proved nor refuted', () => {
    const fault = FAULTS.find(({ breaks }) => breaks === 'Notice')
    for (const answer of ['timeout', 'unknown', '']) {
      assert.equal(check('Notice', undefined, () => answer).answer, 'unknown', answer)
      assert.equal(check('Notice', fault, () => answer).answer, 'unknown', answer)
    }
  })

  it('proves a property and refutes it with a fault', {
    skip: hasZ3() ? false : 'there is no z3 on this machine',
  }, () => {
    const fault = FAULTS.find(({ breaks }) => breaks === 'Notice')
    assert.equal(check('Notice').answer, 'proved')
    assert.equal(check('Notice', fault).answer, 'refuted')
  })
})
