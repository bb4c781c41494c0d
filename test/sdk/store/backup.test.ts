import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE_PER_UNIT, fromHex, type Quote, toHex } from '@mainframe/protocol'
import { encryptedStore, memoryStore, type Store } from '@mainframe/sdk'
import { readChannels } from '../../../sdk/src/payments/channel-records.ts'
import { openChannel } from '../../../sdk/src/payments/channels.ts'
import { advanceClose } from '../../../sdk/src/payments/close-channel.ts'
import { randomBytes } from '../../../sdk/src/random.ts'
import { assertRestored, createBackup, restoreBackup } from '../../../sdk/src/store/backup.ts'
import { readOrCreateSecret } from '../../../sdk/src/store/values.ts'
import { fakeMoney } from '../support/fake-money.ts'
import { makeRelay } from '../support/relays.ts'

const FAST = 10
const MFT = 10n ** 18n
const bytes = (value: string) => Uint8Array.from(Buffer.from(value))

async function filled(values: Record<string, string>): Promise<Store> {
  const store = memoryStore()
  for (const [key, value] of Object.entries(values)) await store.set(key, bytes(value))
  return store
}

describe('restoreBackup: what is refused', () => {
  it('is what is no backup', async () => {
    const backup = await createBackup(await filled({ a: '1' }), 'sesame', FAST)
    const store = memoryStore()
    for (const wrong of [new Uint8Array(0), bytes('a letter'), backup.subarray(0, 100)]) {
      await assert.rejects(restoreBackup(store, wrong, 'sesame'), { code: 'CODEC_INVALID' })
    }
    assert.deepEqual(await store.list(''), [])
  })

  it('is another passphrase, and a backup that was changed or cut short anywhere', async () => {
    const backup = await createBackup(await filled({ a: '1', b: '22' }), 'sesame', FAST)
    const store = memoryStore()
    const wrong = restoreBackup(store, backup, 'open it')
    await assert.rejects(wrong, { code: 'STORE_PASSPHRASE' })
    const codes = new Set<unknown>()
    for (let at = 0; at < backup.length; at += 7) {
      const changed = backup.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      const error = await restoreBackup(store, changed, 'sesame').catch((cause: unknown) => cause)
      codes.add(error instanceof Error && 'code' in error ? error.code : `byte ${at}`)
    }
    const known = ['CODEC_INVALID', 'STORE_CORRUPT', 'STORE_PASSPHRASE']
    assert.deepEqual([...codes].map(String).sort(), known)
    const short = restoreBackup(store, backup.subarray(0, backup.length - 1), 'sesame')
    await assert.rejects(short, { code: 'STORE_CORRUPT' })
    assert.deepEqual(await store.list(''), [])
  })

  it('is a store that holds something', async () => {
    const backup = await createBackup(await filled({ a: '1' }), 'sesame', FAST)
    const store = await filled({ other: '1' })
    await assert.rejects(restoreBackup(store, backup, 'sesame'), { code: 'CONFIG_INVALID' })
  })

  it('is a store in which a restoration ended in the middle', async () => {
    const backup = await createBackup(await filled({ a: '1', b: '2', c: '3' }), 'sesame', FAST)
    const store = memoryStore()
    let writes = 0
    const dying: Store = {
      ...store,
      set: async (key, value) => {
        if (++writes > 2) throw new RangeError('power cut')
        await store.set(key, value)
      },
    }
    await assert.rejects(restoreBackup(dying, backup, 'sesame'), /power cut/)
    await assert.rejects(assertRestored(store), { code: 'STORE_CORRUPT', message: /only in part/ })
    await assert.rejects(restoreBackup(store, backup, 'sesame'), { code: 'CONFIG_INVALID' })
  })
})

describe('createBackup', () => {
  it('shows nothing, and gives back all but the voucher key and the keys of conversations', async () => {
    const values = { 'inbox-secret': 'x'.repeat(32), 'channel.1': 'RECORD', empty: '' }
    const left = { 'voucher-secret': 'y'.repeat(32), 'c.00.e.00': 'yyy', 'talk.00': 'yyy' }
    const store = await filled({ ...values, ...left })
    const backup = await createBackup(store, 'sesame', FAST)
    const shown = Buffer.from(backup).toString('latin1')
    for (const word of ['RECORD', 'channel', 'xxx', 'yyy', 'sesame']) {
      assert.equal(shown.includes(word), false, word)
    }
    const inner = memoryStore()
    const other = encryptedStore(inner, 'open it', { logN: FAST })
    await other.open()
    await restoreBackup(other, backup, 'sesame')
    await assertRestored(other)
    const names = await other.list('')
    assert.deepEqual(names.sort(), Object.keys(values).sort())
    for (const [key, value] of Object.entries(values)) {
      assert.deepEqual(await other.get(key), bytes(value))
    }
    await other.close()
  })

  it('lets nobody sign less than was signed: old channels are closed, and new ones opened', async () => {
    const money = fakeMoney(10n * MFT)
    const { context } = money
    const relay = makeRelay('entry')
    const quote = {
      minDepositBase: MFT / 10n,
      noticeSeconds: 86_400,
      baseUnitsPerUnit: BASE_PER_UNIT,
      token: fromHex(money.deployment.token),
    } as Quote
    const wish = { relay, quote, depositBase: MFT, windowUnits: 1_000 }
    const old = await openChannel(context, wish)
    await old.record(5n * BASE_PER_UNIT)
    const backup = await createBackup(context.store, 'sesame', FAST)
    await old.record(50n * BASE_PER_UNIT)

    const store = memoryStore()
    await restoreBackup(store, backup, 'sesame')
    const create = () => randomBytes(32)
    const signerSecretKey = await readOrCreateSecret(store, 'voucher-secret', create)
    const restored = { ...context, store, signerSecretKey }
    const fresh = await openChannel(restored, wish)
    assert.notEqual(toHex(fresh.channelId), toHex(old.channelId))
    assert.equal(fresh.signedBase, 0n)
    const records = await readChannels(store)
    const record = records.find(({ channelId }) => channelId === toHex(old.channelId))
    assert.ok(record)
    const outcome = await advanceClose(restored, record, async () => undefined)
    assert.equal(outcome.state, 'closing')
  })
})
