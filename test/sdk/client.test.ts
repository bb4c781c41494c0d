import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createKeyPair, encodeContactCode, MainframeError, toHex } from '@mainframe/protocol'
import {
  encryptedStore,
  MAX_MESSAGE_BYTES,
  Mainframe,
  type MainframeOptions,
  memoryStore,
  type Store,
} from '@mainframe/sdk'
import { type PublishParameters, publish } from '../../sdk/src/actions/publish.ts'
import { closeContext, createContext } from '../../sdk/src/opening.ts'
import { startChain, type TestChain } from '../helpers/chain.ts'
import { logIndexer } from './support/log-indexer.ts'
import { registerRelays } from './support/registered-relays.ts'

const MFT = 10n ** 18n
const RELAYS = 3

describe('Mainframe', () => {
  let folder: string
  let chain: TestChain
  const clients: Mainframe[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sdk-client-'))
    chain = await startChain()
    await registerRelays(chain, folder, RELAYS)
  })
  after(async () => {
    for (const client of clients) await client.close()
    await chain?.stop()
    await rm(folder, { recursive: true })
  })

  /** Nobody runs the relays of this test: nothing can be reached. */
  const connect = async () => {
    throw new MainframeError('NETWORK_NO_RELAY', 'unreachable', { retryable: true })
  }

  async function optionsOf(changes: Partial<MainframeOptions> = {}): Promise<MainframeOptions> {
    const { secretKey } = await chain.createAccount(2n * MFT)
    const { rpcUrl, deployment } = chain
    return {
      network: { rpcUrl, deployment, indexers: ['http://indexer'] },
      account: toHex(secretKey),
      store: memoryStore(),
      fetch: logIndexer(chain),
      connect,
      ...changes,
    }
  }

  async function open(changes: Partial<MainframeOptions> = {}): Promise<Mainframe> {
    const client = await Mainframe.open(await optionsOf(changes))
    clients.push(client)
    return client
  }

  const stranger = encodeContactCode(createKeyPair().publicKey)

  describe('open', () => {
    for (const [what, changes] of [
      ['four hops', { hops: 4 }],
      ['half a hop', { hops: 0.5 }],
      ['a hold class that there is not', { holdClass: '2d' as '1d' }],
      ['a delay over five minutes', { delayMs: 300_001 }],
      ['a delay before the event', { delayMs: -1 }],
      ['no subscription', { subscriptions: 0 }],
      ['a deposit of nothing', { depositBase: 0n }],
      ['a budget below nothing', { budgetBasePerDay: -1n }],
      ['a profile that there is not', { profile: 'slow' as 'fast' }],
    ] as const) {
      it(`refuses ${what}`, async () => {
        await assert.rejects(open(changes), { code: 'CONFIG_INVALID' })
      })
    }

    it('refuses to do without an indexer', async () => {
      const { rpcUrl, deployment } = chain
      const network = { rpcUrl, deployment, indexers: [] }
      await assert.rejects(open({ network }), { code: 'CONFIG_INVALID', message: /indexer/ })
    })

    it('gives the store back when it fails', async () => {
      const store = memoryStore()
      await assert.rejects(open({ store, account: '0x12' }), { code: 'CRYPTO_INVALID_KEY' })
      const client = await open({ store })
      await assert.rejects(open({ store }), { code: 'STORE_LOCKED' })
      await client.close()
      await client.close()
      await (await open({ store })).close()
    })

    it('stays the same inbox with the same store, and refuses the key of another', async () => {
      const store = memoryStore()
      const { secretKey, publicKey } = createKeyPair()
      const first = await open({ store, inboxSecretKey: secretKey })
      assert.equal(first.contactCode, encodeContactCode(publicKey))
      await first.close()
      const second = await open({ store })
      assert.equal(second.contactCode, first.contactCode)
      await second.close()
      await assert.rejects(open({ store, inboxSecretKey: createKeyPair().secretKey }), {
        code: 'CONFIG_INVALID',
        message: /another inbox/,
      })
    })

    it('says that a store holds what no client wrote, and closes what it had opened', async () => {
      const store: Store = memoryStore()
      await store.set('subscriptions', Uint8Array.of(1))
      await assert.rejects(open({ store }), { code: 'STORE_CORRUPT' })
      await store.delete('subscriptions')
      await (await open({ store })).close()
    })
  })

  it('opens a store that has a passphrase with that one only', async () => {
    const store = memoryStore()
    const first = await open({ store, passphrase: 'sesame' })
    await first.close()
    await assert.rejects(open({ store }), { code: 'STORE_PASSPHRASE' })
    const second = await open({ store, passphrase: 'sesame' })
    assert.equal(second.contactCode, first.contactCode)
    await second.close()
    const names = await store.list('')
    assert.ok(
      names.every((name) => /^[0-9a-f.]+$|^vault$/.test(name)),
      names.join(),
    )
  })

  it('is the same inbox after a backup was put back, with a passphrase or without', async () => {
    const inner = memoryStore()
    const encrypted = (passphrase: string) => encryptedStore(inner, passphrase, { logN: 10 })
    const old = await open({ store: encrypted('sesame') })
    await assert.rejects(old.changePassphrase(''), { code: 'CONFIG_INVALID' })
    await old.changePassphrase('open it')
    const backup = await old.backup('of the backup')
    await old.close()
    await assert.rejects(open({ store: encrypted('sesame') }), { code: 'STORE_PASSPHRASE' })

    const store = memoryStore()
    await Mainframe.restore({ store, backup, backupPassphrase: 'of the backup' })
    const restored = await open({ store })
    assert.equal(restored.contactCode, old.contactCode)
    await assert.rejects(restored.changePassphrase('sesame'), { code: 'CONFIG_INVALID' })
    await restored.close()
  })

  it('tells by its health that no relay delivers, and that nothing may be spent', async () => {
    const client = await open({ budgetBasePerDay: 0n, hops: 1 })
    const { ok, reasons } = await client.health()
    assert.equal(ok, false)
    const parts = reasons.map(({ part, code }) => `${part} ${code}`)
    assert.deepEqual(parts, ['subscriptions NETWORK_NO_RELAY', 'budget PAYMENT_BUDGET'])
    const { today } = await client.spending()
    assert.deepEqual([today.signedBase, today.limitBase, today.remainingBase], [0n, 0n, 0n])
    const late = client.send(stranger, new Uint8Array(1))
    await assert.rejects(late, { code: 'PAYMENT_BUDGET', retryable: true })
  })

  describe('send', () => {
    it('refuses what cannot be sent, before anything is paid', async () => {
      const client = await open()
      const bytes = new Uint8Array(1)
      await assert.rejects(client.send('mf1nonsense', bytes), { code: 'CODEC_INVALID' })
      const tooLong = new Uint8Array(MAX_MESSAGE_BYTES + 1)
      await assert.rejects(client.send(stranger, tooLong), { code: 'MESSAGE_TOO_LONG' })
      await assert.rejects(client.send(stranger, bytes, { hops: 4 }), { code: 'CONFIG_INVALID' })
      await assert.rejects(client.send(stranger, bytes), {
        code: 'NETWORK_NO_RELAY',
        message: /3 hops need.*2 offer/,
      })
      const unusable = encodeContactCode(new Uint8Array(32))
      const bad = client.send(unusable, bytes, { hops: 1 })
      await assert.rejects(bad, { code: 'CRYPTO_INVALID_KEY' })
      const aborted = AbortSignal.abort(new RangeError('no more'))
      const late = client.send(stranger, bytes, { hops: 1, signal: aborted })
      await assert.rejects(late, /no more/)
      assert.deepEqual((await client.spending()).channels, [])
    })

    it('publishes nothing to a group that cannot be one, before anything is paid', async () => {
      const context = await createContext(await optionsOf())
      const { publicKey } = createKeyPair()
      const to = { address: new Uint8Array(32), publicKey }
      const bytes = new Uint8Array(1)
      const refuse = (changes: Partial<PublishParameters>, error: object) =>
        assert.rejects(publish(context, { to, bytes, hops: 1, ...changes }), error)
      const invalid = { code: 'VALIDATION_FAILED' }
      await refuse({ to: { ...to, address: new Uint8Array(31) } }, invalid)
      await refuse({ messageId: new Uint8Array(15) }, invalid)
      await refuse({ bytes: new Uint8Array(MAX_MESSAGE_BYTES + 1) }, { code: 'MESSAGE_TOO_LONG' })
      const unusable = { ...to, publicKey: new Uint8Array(32) }
      await refuse({ to: unusable }, { code: 'CRYPTO_INVALID_KEY' })
      await refuse({ hops: 3 }, { code: 'NETWORK_NO_RELAY' })
      await refuse({ signal: AbortSignal.abort(new RangeError('no more')) }, /no more/)
      const sent = await publish(context, { to, bytes, hops: 1, timeoutMs: 50 })
      await assert.rejects(sent.accepted, { code: 'MESSAGE_UNDELIVERED' })
      assert.equal(await sent.returned, false)
      await closeContext(context)
    })

    it('gives a message up when it is told to, in time, or at the end', async () => {
      const client = await open({ hops: 2 })
      const controller = new AbortController()
      const [one, two, three] = await Promise.all([
        client.send(stranger, new Uint8Array(1), { signal: controller.signal }),
        client.send(stranger, new Uint8Array(1), { timeoutMs: 50 }),
        client.send(stranger, new Uint8Array(1)),
      ])
      assert.equal(one.state, 'queued')
      controller.abort(new RangeError('no more'))
      await assert.rejects(one.delivered, /no more/)
      await assert.rejects(two.delivered, { code: 'MESSAGE_UNDELIVERED' })
      assert.deepEqual([one.state, two.state, three.state], ['failed', 'failed', 'queued'])
      await client.close()
      await assert.rejects(three.accepted, { code: 'NETWORK_CLOSED' })
    })
  })

  it('estimates from what stands on the chain', async () => {
    const client = await open({ hops: 2 })
    const forecast = await client.estimate(4000, { to: stranger, holdClass: '7d' })
    assert.equal(forecast.packets, 3)
    assert.equal(forecast.relaysReached, RELAYS)
    assert.equal(forecast.holdMs, 7 * 86_400_000)
    assert.equal(forecast.priceBase, 3n * BigInt(forecast.postageUnits) * 10n ** 9n)
    // three destinations hold it for a week: at least what they ask
    assert.ok(forecast.postageUnits > 3 * (1000 + 20 * 168))
    const dearer = await client.estimate(4000, { to: stranger, holdClass: '14d' })
    assert.ok(dearer.priceBase > forecast.priceBase)
  })

  it('discovers every relay, by a rank that its seed decides', async () => {
    const client = await open()
    const seed = new Uint8Array(8).fill(3)
    const [first, again] = [await client.discover({ seed }), await client.discover({ seed })]
    assert.equal(first.activeRelays, RELAYS)
    const ids = first.relays.map(({ nodeId }) => nodeId)
    assert.deepEqual(
      again.relays.map(({ nodeId }) => nodeId),
      ids,
    )
    assert.equal(new Set(ids).size, RELAYS)
    assert.equal((await client.discover({ count: 1 })).relays.length, 1)
  })

  it('tells what its account has, and that no relay can be reached', async () => {
    const client = await open()
    const { coinBase, medium, ...balance } = await client.balance()
    assert.ok(coinBase > 0n)
    const channels = { depositBase: 0n, signedBase: 0n, claimedBase: 0n, remainingBase: 0n }
    const totals = { vaultBase: 0n, channels, totalBase: 2n * MFT }
    assert.deepEqual(balance, { account: client.account, mftBase: 2n * MFT, ...totals })
    const { token, ...paidWith } = medium
    assert.equal(token, chain.deployment.token.toLowerCase())
    assert.deepEqual(paidWith, { walletBase: 2n * MFT, ...totals })
    await assert.rejects(client.openChannel(), { code: 'NETWORK_NO_RELAY' })
  })

  it('ends the waits of whoever waits when it closes', async () => {
    const client = await open()
    const loop = (async () => {
      for await (const _ of client.messages()) assert.fail('a message from nowhere')
    })()
    const caughtUp = assert.rejects(client.caughtUp, { code: 'NETWORK_CLOSED' })
    await client.close()
    await Promise.all([loop, caughtUp])
  })
})
