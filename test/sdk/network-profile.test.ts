import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { localNetwork, Mainframe, memoryStore, parseNetworkProfile } from '@mainframe/sdk'
import type { Fetch } from '../../sdk/src/directory/indexer-api.ts'
import { resolveNetwork } from '../../sdk/src/network-profile.ts'
import { deployment } from './support/honest-indexer.ts'

const network = { rpcUrl: 'http://127.0.0.1:8545', indexers: ['http://127.0.0.1:8420'], deployment }
const profile = { version: 1, name: 'test', ...network }
const text = JSON.stringify(profile)

/** A server that gives this for every address, and notes what was asked for. */
function serving(answer: () => Response, asked: string[] = []): Fetch {
  return (async (input: URL) => {
    asked.push(String(input))
    return answer()
  }) as Fetch
}

describe('A network profile', () => {
  const faulty: [string, Record<string, unknown>, RegExp][] = [
    ['of another version', { version: 2 }, /version is not 1/],
    ['without a chain', { rpcUrl: undefined }, /rpcUrl/],
    ['whose chain is a file', { rpcUrl: 'file:///etc/passwd' }, /rpcUrl/],
    ['without an indexer', { indexers: [] }, /indexers/],
    ['with too many indexers', { indexers: Array(17).fill(network.rpcUrl) }, /indexers/],
    ['whose indexer is no address', { indexers: ['indexer'] }, /indexers/],
    ['without contracts', { deployment: undefined }, /no JSON object/],
    ['with half an address', { deployment: { ...deployment, token: '0x11' } }, /token/],
  ]
  for (const [what, change, sentence] of faulty) {
    it(`is refused ${what}`, () => {
      const wrong = JSON.stringify({ ...profile, ...change })
      assert.throws(() => parseNetworkProfile(wrong), { code: 'CONFIG_INVALID', message: sentence })
    })
  }

  it('is refused when it is no JSON, and by a name that nobody knows', async () => {
    for (const wrong of ['{', '{"a":', '{}']) {
      await assert.rejects(resolveNetwork(wrong), { code: 'CONFIG_INVALID' })
    }
    await assert.rejects(resolveNetwork('mainnet'), {
      code: 'CONFIG_INVALID',
      message: /no network "mainnet": there is "local"/,
    })
  })

  it('is fetched from nowhere that somebody on the way could change', async () => {
    const asked: string[] = []
    for (const url of ['http://example.org/n.json', 'ftp://127.0.0.1/n', 'file:///n.json']) {
      const refused = resolveNetwork(
        url,
        serving(() => new Response(text), asked),
      )
      await assert.rejects(refused, { code: 'CONFIG_INVALID', message: /by https/ })
    }
    assert.deepEqual(asked, [])
  })

  it('is refused when its URL answers with an error, without end, or not at all', async () => {
    const url = 'https://example.org/network.json'
    const endless = () => new Response(' '.repeat(70_000))
    await assert.rejects(resolveNetwork(url, serving(endless)), { message: /65536 bytes/ })
    const missing = () => new Response('', { status: 404 })
    await assert.rejects(resolveNetwork(url, serving(missing)), { message: /answers 404/ })
    const down = () => {
      throw new TypeError('fetch failed')
    }
    const error = { code: 'CONFIG_INVALID', retryable: true }
    await assert.rejects(resolveNetwork(url, serving(down)), error)
  })

  it('is taken as options, as text, and from its URL', async () => {
    assert.equal(await resolveNetwork(network), network)
    assert.deepEqual(await resolveNetwork(` ${text}`), network)
    for (const url of ['https://example.org/n.json', 'http://127.0.0.1:1/n.json']) {
      assert.deepEqual(
        await resolveNetwork(
          url,
          serving(() => new Response(text)),
        ),
        network,
      )
    }
  })

  describe('of the local network', () => {
    let folder: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sdk-profile-'))
    })
    after(() => rm(folder, { recursive: true }))

    it('says how to start one when there is none', async () => {
      const file = join(folder, 'none.json')
      await assert.rejects(localNetwork(file), { code: 'CONFIG_INVALID', message: /npm start/ })
      const store = memoryStore()
      const account = `0x${'11'.repeat(32)}`
      const unknown = Mainframe.open({ network: 'mainnet', account, store })
      await assert.rejects(unknown, { code: 'CONFIG_INVALID' })
      await store.open() // it was given back
    })

    it('is read from the file that was written for it', async () => {
      const file = join(folder, 'network.json')
      await writeFile(file, text)
      assert.deepEqual(await localNetwork(file), network)
    })
  })
})
