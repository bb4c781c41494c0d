import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encryptedStore, memoryStore, type Store } from '@mainframe/sdk'
import { scrypt as inBrowsers } from '../../../sdk/src/platform/browser.ts'
import { scrypt as inNode } from '../../../sdk/src/platform/node.ts'
import { openStore } from '../../../sdk/src/store/opened-store.ts'

const FAST = { logN: 10 }
const bytes = (value: string) => Uint8Array.from(Buffer.from(value))
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString()

/** A store in memory that holds these values under a passphrase, and is closed. */
async function filled(values: Record<string, string>, passphrase = 'sesame'): Promise<Store> {
  const inner = memoryStore()
  const store = encryptedStore(inner, passphrase, FAST)
  await store.open()
  for (const [key, value] of Object.entries(values)) await store.set(key, bytes(value))
  await store.close()
  return inner
}

/** The values as they lie on the disk. */
async function onDisk(inner: Store): Promise<Map<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>()
  for (const key of await inner.list('')) out.set(key, (await inner.get(key)) ?? new Uint8Array(0))
  return out
}

describe('encryptedStore: what does not open', () => {
  it('is a store with another passphrase, which is free again for the right one', async () => {
    const inner = await filled({ secret: 'value' })
    for (const wrong of ['Sesame', 'sesame ', 'sesam']) {
      const store = encryptedStore(inner, wrong, FAST)
      await assert.rejects(store.open(), { code: 'STORE_PASSPHRASE' }, wrong)
    }
    const store = encryptedStore(inner, 'sesame', FAST)
    await store.open()
    assert.equal(text(await store.get('secret')), 'value')
    await store.close()
  })

  it('is one with no passphrase at all, one in clear with a passphrase, and an empty passphrase', async () => {
    const inner = await filled({})
    await assert.rejects(openStore({ store: inner }), { code: 'STORE_PASSPHRASE' })
    const clear = memoryStore()
    await clear.set('channel.1', bytes('1'))
    const store = encryptedStore(clear, 'sesame', FAST)
    await assert.rejects(store.open(), { code: 'CONFIG_INVALID', message: /in clear/ })
    const empty = encryptedStore(memoryStore(), '', FAST)
    await assert.rejects(empty.open(), { code: 'CONFIG_INVALID' })
  })

  it('is a key that was locked in a way that we do not know, or that wants too much memory', async () => {
    const inner = await filled({})
    const vault = JSON.parse(text(await inner.get('vault')) ?? '') as Record<string, unknown>
    for (const change of [{ version: 2 }, { kdf: 'md5' }, { logN: 40 }, { salt: '0x' }]) {
      await inner.set('vault', bytes(JSON.stringify({ ...vault, ...change })))
      const store = encryptedStore(inner, 'sesame', FAST)
      await assert.rejects(store.open(), { code: 'STORE_CORRUPT' }, JSON.stringify(change))
    }
    await inner.set('vault', bytes(JSON.stringify({ ...vault, logN: 11 })))
    await assert.rejects(encryptedStore(inner, 'sesame', FAST).open(), { code: 'STORE_PASSPHRASE' })
  })

  it('is a value of which a single bit was changed, wherever that is', async () => {
    const inner = await filled({ secret: 'a value of some bytes' })
    const [place = '', box = new Uint8Array(0)] =
      [...(await onDisk(inner))].find(([key]) => key !== 'vault') ?? []
    const store = encryptedStore(inner, 'sesame', FAST)
    await store.open()
    for (let at = 0; at < box.length; at++) {
      const changed = box.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      await inner.set(place, changed)
      await assert.rejects(store.get('secret'), { code: 'STORE_CORRUPT' }, `byte ${at}`)
    }
    for (const cut of [0, 1, 24, 25, box.length - 1]) {
      await inner.set(place, box.subarray(0, cut))
      await assert.rejects(store.get('secret'), { code: 'STORE_CORRUPT' }, `${cut} bytes`)
    }
    await store.close()
  })

  it('is a value in the place of another, though its own is right', async () => {
    const inner = await filled({ 'channel.a': '1', 'channel.b': '1000' })
    const disk = [...(await onDisk(inner))].filter(([key]) => key !== 'vault')
    const [[one = '', first] = [], [other = '', second] = []] = disk
    assert.ok(first && second)
    await inner.set(one, second)
    await inner.set(other, first)
    const store = encryptedStore(inner, 'sesame', FAST)
    await store.open()
    for (const key of ['channel.a', 'channel.b']) {
      await assert.rejects(store.get(key), { code: 'STORE_CORRUPT' })
    }
    await assert.rejects(store.list('channel.'), { code: 'STORE_CORRUPT' })
    await store.close()
  })

  it('is no key that could not be one without a passphrase, and nothing after the end', async () => {
    const store = encryptedStore(memoryStore(), 'sesame', FAST)
    await store.open()
    await assert.rejects(store.set('../x', bytes('x')), { code: 'VALIDATION_FAILED' })
    await store.close()
    await assert.rejects(store.get('a'), { code: 'STORE_FAILED' })
    await assert.rejects(store.list(''), { code: 'STORE_FAILED' })
  })
})

describe('encryptedStore', () => {
  it('shows neither values nor names, and never the same twice', async () => {
    const values = { 'inbox-secret': 'SECRET', 'inbox.friends.done.abc': 'SECRET', plain: 'SECRET' }
    const disk = await onDisk(await filled(values))
    const all = [...disk].map(([key, value]) => `${key} ${Buffer.from(value).toString('latin1')}`)
    for (const word of ['SECRET', 'inbox', 'friends', 'done', 'plain', 'sesame']) {
      assert.equal(all.join('\n').includes(word), false, word)
    }
    const inner = memoryStore()
    const store = encryptedStore(inner, 'sesame', FAST)
    await store.open()
    const seen = new Set<string>()
    for (let i = 0; i < 5; i++) {
      await store.set('same', bytes('same'))
      const [place = ''] = (await inner.list('')).filter((key) => key !== 'vault')
      seen.add(Buffer.from((await inner.get(place)) ?? []).toString('hex'))
    }
    assert.equal(seen.size, 5)
    await store.close()
  })

  it('lists by any prefix after it was opened anew, of names with many parts too', async () => {
    const keys = ['a', 'ab', 'a.b', 'a.b.c', 'a.b.c.d', 'a.b.c.d.e', 'a.b.c.x.e', 'a.bc', 'b.c.d.e']
    const inner = await filled(Object.fromEntries(keys.map((key) => [key, key])))
    for (const prefix of [
      '',
      'a',
      'a.',
      'a.b',
      'a.b.',
      'a.b.c.',
      'a.b.c.d.',
      'a.b.c.d.e',
      'x',
      'x.',
    ]) {
      const store = encryptedStore(inner, 'sesame', FAST)
      await store.open()
      const expected = keys.filter((key) => key.startsWith(prefix))
      assert.deepEqual((await store.list(prefix)).sort(), expected.sort(), `"${prefix}"`)
      await store.close()
    }
  })

  it('changes its passphrase by writing one value', async () => {
    const inner = await filled({ a: '1', b: '2' })
    const before = await onDisk(inner)
    const store = encryptedStore(inner, 'sesame', FAST)
    await store.open()
    await assert.rejects(store.changePassphrase(''), { code: 'CONFIG_INVALID' })
    await store.changePassphrase('open it')
    await store.close()
    const after = await onDisk(inner)
    const changed = [...after].filter(
      ([key, value]) => !Buffer.from(value).equals(before.get(key) ?? new Uint8Array(0)),
    )
    assert.deepEqual(
      changed.map(([key]) => key),
      ['vault'],
    )
    await assert.rejects(encryptedStore(inner, 'sesame', FAST).open(), { code: 'STORE_PASSPHRASE' })
    const again = encryptedStore(inner, 'open it', FAST)
    await again.open()
    assert.equal(text(await again.get('b')), '2')
    await again.close()
  })

  it('takes the letters of a passphrase, however they were typed', async () => {
    const inner = await filled({ a: '1' }, 'caf\u00e9')
    const store = encryptedStore(inner, 'cafe\u0301', FAST)
    await store.open()
    assert.equal(text(await store.get('a')), '1')
    await store.close()
  })
})

it('the keys of passphrases are those of RFC 7914, and the same in Node and in browsers', async () => {
  const password = bytes('pleaseletmein')
  const salt = bytes('SodiumChloride')
  const keys = await Promise.all([inNode, inBrowsers].map((scrypt) => scrypt(password, salt, 14)))
  // the first 32 bytes of its third example: N = 16384, r = 8, p = 1
  const expected = '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2'
  for (const key of keys) assert.equal(Buffer.from(key).toString('hex'), expected)
})
