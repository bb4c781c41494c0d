import assert from 'node:assert/strict'
import { appendFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { mendJournal, readJournal } from '../../deploy/journal.ts'

describe('The journal of a deployment', () => {
  let folder: string
  let journal: string
  const lines = [
    '{"chainId":31337,"type":"DEPLOYMENT_INITIALIZE"}',
    '{"type":"DEPLOYMENT_EXECUTION_STATE_INITIALIZE","futureId":"Mainframe#A","contractName":"A","from":"0x1","constructorArgs":[{"_kind":"bigint","value":"7"},5]}',
    '{"type":"TRANSACTION_PREPARE_SEND","futureId":"Mainframe#A","nonce":3}',
  ]
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-journal-'))
    journal = join(folder, 'journal.jsonl')
    await writeFile(journal, `\n${lines.join('\n')}`)
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('loses nothing but the line that was not written whole, at whichever byte', async () => {
    const whole = await readFile(journal, 'utf8')
    const start = whole.lastIndexOf('\n')
    for (let length = start + 1; length < whole.length; length += 7) {
      await writeFile(journal, whole)
      await truncate(journal, length)
      await mendJournal(folder)
      assert.equal((await readFile(journal, 'utf8')).trimEnd(), whole.slice(0, start), `${length}`)
      assert.equal((await readJournal(folder))[0]?.nonce, undefined)
    }
    await writeFile(journal, whole)
    await mendJournal(folder)
    assert.equal(await readFile(journal, 'utf8'), whole)
  })

  it('is refused when it is damaged in its midst', async () => {
    await writeFile(journal, `\n{"chainId":31\n${lines[1]}`)
    const damage = { code: 'STORE_CORRUPT', message: /journal\.jsonl is damaged in its midst/ }
    await assert.rejects(readJournal(folder), damage)
    await assert.rejects(mendJournal(folder), damage)
  })

  it('tells arguments as text, and forgets what was wiped or replaced', async () => {
    const [entry] = await readJournal(folder)
    assert.deepEqual(entry, {
      futureId: 'Mainframe#A',
      contract: 'A',
      from: '0x1',
      arguments: ['7', '5'],
      nonce: 3,
    })
    await appendFile(
      journal,
      '\n{"type":"ONCHAIN_INTERACTION_REPLACED_BY_USER","futureId":"Mainframe#A"}',
    )
    assert.equal((await readJournal(folder))[0]?.nonce, undefined)
    await appendFile(journal, '\n{"type":"WIPE_APPLY","futureId":"Mainframe#A"}')
    assert.deepEqual(await readJournal(folder), [])
  })

  it('is nothing where there is none', async () => {
    const nowhere = join(folder, 'nowhere')
    assert.deepEqual(await readJournal(nowhere), [])
    await mendJournal(nowhere)
    await mkdir(nowhere)
    await mendJournal(nowhere)
    assert.deepEqual(await readJournal(nowhere), [])
  })
})
