import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { AddressBook, MOST_PEERS } from '../../../node/src/links/address-book.ts'

const keyOf = (i: number) => `0x${i.toString(16).padStart(64, '0')}`

describe('The book of addresses', () => {
  let folder: string
  let path: string
  let troubles: string[]
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'address-book-'))
    path = join(folder, 'peers.json')
    troubles = []
  })
  afterEach(() => rm(folder, { recursive: true }))

  const open = () => AddressBook.open({ path, onTrouble: (text) => troubles.push(text) })

  for (const [what, content] of [
    ['cut off', '{"version":1,"peers":[{"pe'],
    ['of another form', '{"version":1,"peers":[{"peer":"0x1","address":"/ip4/1.2.3.4/tcp/1"}]}'],
    ['of a later version', '{"version":2,"peers":[]}'],
    ['far too large', ' '.repeat(1_048_577)],
  ] as const) {
    it(`starts anew from a file that is ${what}, and names it`, async () => {
      await writeFile(path, content)
      const book = await open()
      assert.equal(troubles.length, 1)
      assert.ok(troubles[0]?.includes(path))
      book.note(keyOf(1), '/ip4/127.0.0.1/tcp/1')
      await book.close()
      assert.equal((await open()).addressOf(keyOf(1)), '/ip4/127.0.0.1/tcp/1')
      assert.equal(troubles.length, 1)
    })
  }

  it('goes on without a disk, and says so', async () => {
    path = join(folder, 'missing', 'peers.json')
    const book = await open()
    book.note(keyOf(1), '/ip4/127.0.0.1/tcp/1')
    await book.close()
    assert.equal(book.addressOf(keyOf(1)), '/ip4/127.0.0.1/tcp/1')
    assert.deepEqual(troubles.length, 1)
  })

  it('remembers over a restart where each peer was reached last', async () => {
    const book = await open()
    book.note(keyOf(1), '/ip4/127.0.0.1/tcp/1')
    book.note(keyOf(2), '/dns4/relay.example/tcp/443/wss')
    book.note(keyOf(1), '/ip4/127.0.0.1/tcp/9')
    await book.close()
    const again = await open()
    assert.equal(again.addressOf(keyOf(1)), '/ip4/127.0.0.1/tcp/9')
    assert.equal(again.addressOf(keyOf(2)), '/dns4/relay.example/tcp/443/wss')
    assert.equal(again.addressOf(keyOf(3)), undefined)
    assert.deepEqual(troubles, [])
  })

  it('is bounded: the peers reached the longest ago are forgotten, and endless addresses not kept', async () => {
    const book = await open()
    for (let i = 0; i <= MOST_PEERS; i++) book.note(keyOf(i), `/ip4/127.0.0.1/tcp/${i}`)
    book.note(keyOf(7), `/${'x'.repeat(256)}`)
    await book.close()
    assert.equal(book.addressOf(keyOf(0)), undefined)
    assert.equal(book.addressOf(keyOf(7)), '/ip4/127.0.0.1/tcp/7')
    assert.equal(JSON.parse(await readFile(path, 'utf8')).peers.length, MOST_PEERS)
    assert.ok((await stat(path)).size < 1_048_576)
  })

  it('writes once for many changes, and not at all when a peer is reached where it was', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const book = await open()
    for (let i = 0; i < 100; i++) book.note(keyOf(i), '/ip4/127.0.0.1/tcp/1')
    await assert.rejects(stat(path), { code: 'ENOENT' })
    t.mock.timers.tick(30_000)
    await book.close()
    const { mtimeMs } = await stat(path)
    book.note(keyOf(3), '/ip4/127.0.0.1/tcp/1')
    t.mock.timers.tick(30_000)
    await book.close()
    assert.equal((await stat(path)).mtimeMs, mtimeMs)
  })
})
