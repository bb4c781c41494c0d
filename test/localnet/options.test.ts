import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readOptions } from '../../localnet/src/options.ts'

describe('the options of npm start', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-options-'))
  })
  after(() => rm(folder, { recursive: true }))

  const refused: [string, string[], RegExp][] = [
    ['fewer than four relays', ['--relays', '3'], /4 to 64 relays/],
    ['a relay count that is no number', ['--relays', 'many'], /4 to 64 relays/],
    ['a port past 65535', ['--indexer-port', '70000'], /1024 to 65535/],
    ['a port of the system', ['--chain-port', '22'], /1024 to 65535/],
    ['an unknown flag, with a hint', ['--relay', '8'], /Did you mean --relays/],
    ['words that belong to no flag', ['hello'], /too many arguments/],
    ['a missing file', ['--file', '/does/not/exist'], /There is no file/],
    ['a folder as a file', ['--file', tmpdir()], /There is no file/],
    ['a message and a file at once', ['--message', 'a', '--file', 'b'], /not both/],
  ]
  for (const [what, argv, sentence] of refused) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(readOptions(argv), sentence)
    })
  }

  it('refuses a message of more than 1 MiB, and takes one of exactly 1 MiB', async () => {
    const file = join(folder, 'long')
    await writeFile(file, new Uint8Array(1_048_577))
    await assert.rejects(readOptions(['--file', file]), { code: 'MESSAGE_TOO_LONG' })
    await writeFile(file, new Uint8Array(1_048_576))
    assert.equal((await readOptions(['--file', file])).message.length, 1_048_576)
  })

  it('reads the bytes of a file as they are', async () => {
    const file = join(folder, 'binary')
    const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256)
    await writeFile(file, bytes)
    assert.deepEqual(new Uint8Array((await readOptions(['--file', file])).message), bytes)
  })

  it('starts eight relays with a greeting unless told otherwise', async () => {
    const { relays, once, json, message, chainPort } = await readOptions([])
    assert.deepEqual(
      { relays, once, json, chainPort },
      { relays: 8, once: false, json: false, chainPort: 0 },
    )
    assert.match(new TextDecoder().decode(message), /Bob/)
  })
})
