import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encryptedStore, fileStore, indexedDbStore, memoryStore, type Store } from '@mainframe/sdk'
import fc from 'fast-check'
import { Completed } from '../../../sdk/src/messages/completed.ts'
import { readChannels, writeChannel } from '../../../sdk/src/payments/channel-records.ts'
import { readOrCreateSecret } from '../../../sdk/src/store/values.ts'
import { hexOf } from '../support/relays.ts'

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()
const bytes = (value: string) => Uint8Array.from(Buffer.from(value))

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sdk-store-'))
})
after(() => rm(folder, { recursive: true }))

let count = 0
const kinds: [string, () => Store][] = [
  ['memoryStore', memoryStore],
  ['fileStore', () => fileStore(join(folder, `store-${++count}`))],
  ['encryptedStore', () => encryptedStore(memoryStore(), 'sesame', { logN: 10 })],
]

for (const [name, create] of kinds) {
  describe(`${name}: as every store`, () => {
    it('refuses a second client by name, until the first has closed it', async () => {
      const store = create()
      await store.open()
      await assert.rejects(store.open(), { code: 'STORE_LOCKED' })
      await store.close()
      await store.open()
      await store.close()
    })

    it('behaves like a map, whatever is done to it', async () => {
      const key = fc.constantFrom('a', 'b.1', 'b.2', 'c-x')
      const action = fc.oneof(
        fc.record({
          do: fc.constant('set' as const),
          key,
          value: fc.uint8Array({ maxLength: 40 }),
        }),
        fc.record({ do: fc.constant('delete' as const), key }),
        fc.record({ do: fc.constant('get' as const), key }),
        fc.record({ do: fc.constant('list' as const), key: fc.constantFrom('', 'b.', 'x') }),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(action, { maxLength: 15 }), async (actions) => {
          const store = create()
          await store.open()
          const model = new Map<string, Uint8Array>()
          for (const step of actions) {
            if (step.do === 'set') {
              await store.set(step.key, step.value)
              model.set(step.key, step.value)
            } else if (step.do === 'delete') {
              await store.delete(step.key)
              model.delete(step.key)
            } else if (step.do === 'get') {
              assert.deepEqual(await store.get(step.key), model.get(step.key))
            } else {
              const expected = [...model.keys()].filter((name) => name.startsWith(step.key))
              assert.deepEqual((await store.list(step.key)).sort(), expected.sort())
            }
          }
          await store.close()
        }),
        { numRuns: 20 },
      )
    })

    it('keeps its own copy of a value', async () => {
      const store = create()
      await store.open()
      const value = bytes('before')
      await store.set('k', value)
      value.fill(0)
      assert.equal(text(await store.get('k')), 'before')
      await store.close()
    })
  })
}

describe('fileStore', () => {
  it('is refused to another process while one has it, and free when that one was killed', async () => {
    const path = join(folder, 'shared')
    const holder = fileURLToPath(new URL('../support/store-holder.ts', import.meta.url))
    const child = spawn(process.execPath, [holder, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    const store = fileStore(path)
    await assert.rejects(store.open(), { code: 'STORE_LOCKED', message: /close it, or give/ })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await store.open()
    assert.equal(text(await store.get('written')), 'by another process')
    await store.close()
  })

  it('is whole after a kill at any moment: every key has a value that was written', async () => {
    const path = join(folder, 'killed')
    const writer = fileURLToPath(new URL('../support/store-writer.ts', import.meta.url))
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [writer, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let acknowledged = 0
      child.stdout.on('data', (lines: Buffer) => {
        acknowledged = Number(lines.toString().trim().split('\n').at(-1))
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, 40 + 30 * round))
      child.kill('SIGKILL')
      await once(child, 'exit')
      const store = fileStore(path)
      await store.open()
      const value = text(await store.get('counter')) ?? ''
      assert.match(value, /^(\d+) x{1000}$/)
      assert.ok(Number.parseInt(value, 10) >= acknowledged, `${value} after ${acknowledged}`)
      await store.close()
      const left = (await readdir(path)).filter((file) => file.startsWith('TMP-'))
      assert.deepEqual(left, [])
    }
  })

  it('shows its files to nobody else', async () => {
    const path = join(folder, 'private')
    const store = fileStore(path)
    await store.open()
    await store.set('secret', bytes('s'))
    assert.equal((await stat(join(path, 'secret'))).mode & 0o777, 0o600)
    assert.equal((await stat(path)).mode & 0o777, 0o700)
    await store.close()
  })

  it('takes no key that could leave its folder', async () => {
    const store = fileStore(join(folder, 'keys'))
    await store.open()
    for (const key of ['../x', 'a/b', '', '.', '..', 'LOCK', 'TMP-1', 'a\0']) {
      await assert.rejects(store.set(key, bytes('x')), { code: 'VALIDATION_FAILED' }, key)
      await assert.rejects(store.get(key), { code: 'VALIDATION_FAILED' }, key)
    }
    await store.close()
    await assert.rejects(store.get('a'), { code: 'STORE_FAILED' })
  })

  it('names the folder when the disk does not do what it is asked', async () => {
    const path = join(folder, 'a-file')
    await writeFile(path, '')
    await assert.rejects(fileStore(path).open(), { code: 'STORE_FAILED', message: /a-file/ })
    await chmod(path, 0o600)
  })
})

describe('values in a store', () => {
  it('that nobody of us wrote are corrupt, and named', async () => {
    const store = memoryStore()
    await store.set('secret', bytes('short'))
    await assert.rejects(
      readOrCreateSecret(store, 'secret', () => new Uint8Array(32)),
      { code: 'STORE_CORRUPT', message: /"secret"/ },
    )
    await store.set('channel.1', bytes('{"epoch":-1}'))
    await assert.rejects(readChannels(store), { code: 'STORE_CORRUPT', message: /"channel.1"/ })
    await store.set('done.1', bytes('not JSON'))
    await assert.rejects(Completed.open(store, 0), { code: 'STORE_CORRUPT' })
  })

  it('keep signed amounts of any size exactly', async () => {
    const store = memoryStore()
    const record = {
      channelId: hexOf('channel'),
      nodeId: hexOf('node'),
      payee: `0x${'22'.repeat(20)}` as const,
      token: `0x${'44'.repeat(20)}` as const,
      signer: `0x${'33'.repeat(20)}` as const,
      noticeSeconds: 3600,
      epoch: 2,
      signedBase: 2n ** 95n + 1n,
    }
    await writeChannel(store, record)
    await writeChannel(store, { ...record, signedBase: 2n ** 95n + 2n })
    assert.deepEqual(await readChannels(store), [{ ...record, signedBase: 2n ** 95n + 2n }])
    // a store from before there were other media than MFT
    const { token, ...old } = record
    await writeChannel(store, old)
    assert.deepEqual(await readChannels(store), [{ ...record, token: undefined }])
  })

  it('remember completed messages for 15 days', async () => {
    const store = memoryStore()
    const day = 86_400_000
    const completed = await Completed.open(store, 0)
    await completed.add('aa', 0)
    await completed.add('bb', 10 * day)
    const later = await Completed.open(store, 14 * day)
    assert.deepEqual([later.has('aa'), later.has('bb')], [true, true])
    const latest = await Completed.open(store, 16 * day)
    assert.deepEqual([latest.has('aa'), latest.has('bb')], [false, true])
    assert.deepEqual(await store.list('done.'), ['done.bb'])
  })
})

it('fileStore keeps what it is given in the file of that name', async () => {
  const path = join(folder, 'plain')
  const store = fileStore(path)
  await store.open()
  await store.set('cursor.1', bytes('41'))
  assert.equal(await readFile(join(path, 'cursor.1'), 'utf8'), '41')
  await store.close()
})

it('indexedDbStore says what to use instead where there is no browser', () => {
  assert.throws(() => indexedDbStore('alice'), { code: 'CONFIG_INVALID', message: /fileStore/ })
})
