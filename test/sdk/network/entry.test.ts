import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { errorCode, headerOf, MainframeError, NAMED_RELAY, toHex } from '@mainframe/protocol'
import { type EntryRig, entryRig, entryRigOf, pinFirst, until } from '../support/entry-rig.ts'
import { fakeMoney } from '../support/fake-money.ts'
import type { FakeRelay } from '../support/fake-relays.ts'

const MFT = 10n ** 18n
const allAccepted = (parcels: readonly { outcome: string }[]) =>
  parcels.every(({ outcome }) => outcome === 'accepted')

/** The fake relay that is the entry now. */
function entryOf({ entry, relays }: EntryRig): FakeRelay {
  const found = relays.find(({ relay }) => relay.nodeId === entry.current?.relay.nodeId)
  return found ?? assert.fail('no entry')
}

/** A rig whose entry is tried in this order. */
async function pinnedRig(order: readonly number[], options: Parameters<typeof entryRig>[0] = {}) {
  const first = await entryRig(options)
  await pinFirst(first, order)
  const rig = await entryRigOf(first.relays, first.money, options.settings)
  return rig
}

describe('Entry: relays that fail', () => {
  it('tries a relay that cannot be reached some times, then takes the next pinned one', async () => {
    const rig = await pinnedRig([2, 4])
    const [dead, next] = [rig.relays[2], rig.relays[4]]
    assert.ok(dead && next)
    dead.manners.isAlive = false
    const parcels = rig.post(5)
    await until(() => allAccepted(parcels), 'all accepted')
    assert.equal(dead.dials, 3)
    assert.equal(next.taken.length, 5)
    assert.deepEqual(rig.chosen, [dead.relay.nodeId, next.relay.nodeId])
    await rig.close()
  })

  it('connects first to the relay that it decided on before anything was sent', async () => {
    for (let run = 0; run < 8; run++) {
      const rig = await entryRig()
      const decided = rig.entry.choose(rig.directory.view)
      const { relay } = await rig.entry.connect()
      assert.equal(relay.nodeId, decided?.nodeId)
      await rig.close()
    }
  })

  it('leaves a relay whose quote is a lie at once, without a deposit', async () => {
    const rig = await pinnedRig([1, 3])
    const [liar, honest] = [rig.relays[1], rig.relays[3]]
    assert.ok(liar && honest)
    liar.manners.quote = { routeUnits: 100_000 }
    const parcels = rig.post(1)
    await until(() => allAccepted(parcels), 'accepted')
    assert.equal(liar.dials, 1)
    assert.equal(honest.taken.length, 1)
    assert.equal(rig.money.transactions.length, 1)
    await rig.close()
  })

  it('tells whoever asked for a channel when no relay can be used, and tries again for parcels', async () => {
    const rig = await entryRig({ relays: 5 })
    for (const relay of rig.relays) relay.manners.isAlive = false
    await assert.rejects(rig.entry.connect(), { code: 'NETWORK_NO_RELAY', retryable: true })
    const parcels = rig.post(1)
    await wait(100)
    assert.deepEqual(rig.fatal, [])
    for (const relay of rig.relays) relay.manners.isAlive = true
    await until(() => allAccepted(parcels), 'accepted once relays are back')
    await rig.close()
  })

  it('sends again through another relay what a dying one had not acknowledged', async () => {
    const rig = await pinnedRig([0, 1])
    const [first, second] = [rig.relays[0], rig.relays[1]]
    assert.ok(first && second)
    const before = rig.post(10)
    await until(() => allAccepted(before), 'the first ten')
    first.manners.acknowledges = false
    const parcels = rig.post(150)
    await until(() => first.taken.length > 10, 'some are on their way')
    first.kill()
    await until(() => allAccepted(parcels), 'all accepted elsewhere')
    assert.equal(second.taken.length, 150)
    assert.equal(rig.entry.current?.relay.nodeId, second.relay.nodeId)
    assert.equal(rig.money.transactions.length, 2)
    await rig.close()
  })

  it('leaves a relay that takes a voucher and hangs up, instead of paying it again and again', async () => {
    const rig = await pinnedRig([0, 1])
    const [thief, honest] = [rig.relays[0], rig.relays[1]]
    assert.ok(thief && honest)
    thief.manners.refuse = () => {
      thief.kill()
      thief.manners.isAlive = true
      return 'busy'
    }
    const parcels = rig.post(10)
    try {
      await until(() => allAccepted(parcels), 'all accepted elsewhere')
    } finally {
      await rig.close()
    }
    assert.equal(honest.taken.length, 10)
    assert.equal(thief.dials, 1)
  })

  it('leaves a relay that lets nothing through, and does not return to it as its first', async () => {
    const rig = await pinnedRig([0, 1])
    const [swallower, next] = [rig.relays[0], rig.relays[1]]
    assert.ok(swallower && next)
    const before = rig.post(3)
    await until(() => allAccepted(before), 'the first three')
    await rig.entry.distrust()
    const parcels = rig.post(3)
    await until(() => allAccepted(parcels), 'accepted by another relay')
    assert.equal(next.taken.length, 3)
    await wait(600) // longer than the rest of a relay that did not work
    await rig.entry.disconnect()
    const later = rig.post(1)
    await until(() => allAccepted(later), 'accepted')
    assert.equal(rig.entry.current?.relay.nodeId, next.relay.nodeId)
    await rig.close()
  })

  it('returns to its first relay when that works again', async () => {
    const rig = await pinnedRig([0, 1])
    const [first, second] = [rig.relays[0], rig.relays[1]]
    assert.ok(first && second)
    first.manners.isAlive = false
    await rig.entry.connect()
    assert.equal(rig.entry.current?.relay.nodeId, second.relay.nodeId)
    first.manners.isAlive = true
    await wait(600) // longer than the rest of a relay that did not answer
    second.kill()
    const parcels = rig.post(1)
    await until(() => allAccepted(parcels), 'accepted')
    assert.equal(rig.entry.current?.relay.nodeId, first.relay.nodeId)
    await rig.close()
  })

  it('keeps few relays pinned, in the store, and the same ones after a restart', async () => {
    const rig = await entryRig()
    const { relay } = await rig.entry.connect()
    await rig.close()
    for (let i = 0; i < 5; i++) {
      const again = await entryRigOf(rig.relays, rig.money)
      assert.equal((await again.entry.connect()).relay.nodeId, relay.nodeId)
      await again.close()
    }
    assert.equal(rig.money.transactions.length, 1)
  })

  it('takes no relay whose operator delivers to us, as long as there are others', async () => {
    const rig = await pinnedRig([0, 1, 2])
    for (const i of [0, 1]) rig.avoided.add(rig.relays[i]?.relay.operator ?? '0x')
    assert.equal((await rig.entry.connect()).relay.nodeId, rig.relays[2]?.relay.nodeId)
    await rig.close()
  })
})

describe('Entry: money', () => {
  it('makes every signed amount durable before the voucher leaves', async () => {
    const rig = await entryRig()
    const { store } = rig.money.context
    const durable: bigint[] = []
    const { set } = store
    store.set = async (key, value) => {
      await wait(3)
      await set(key, value)
      if (!key.startsWith('channel.')) return
      durable.push(BigInt(JSON.parse(Buffer.from(value).toString()).signedBase))
    }
    for (const fake of rig.relays) {
      fake.manners.judge = ({ amount }) => {
        assert.ok(durable.includes(amount), `${amount} left before it was durable`)
        return undefined
      }
    }
    const parcels = rig.post(100)
    await until(() => allAccepted(parcels), 'all accepted')
    assert.ok(entryOf(rig).credits.length > 2)
    await rig.close()
  })

  it('waits until the relay sees the deposit', async () => {
    const rig = await entryRig()
    for (const relay of rig.relays) relay.manners.seesDeposits = false
    const parcels = rig.post(3)
    await until(() => rig.entry.current !== undefined, 'connected')
    const fake = entryOf(rig)
    await until(() => fake.credits.length > 2, 'asked again')
    assert.equal(fake.taken.length, 0)
    fake.manners.seesDeposits = true
    await until(() => allAccepted(parcels), 'accepted')
    assert.equal(rig.money.transactions.length, 1)
    await rig.close()
  })

  it('leaves a relay that never sees the deposit', async () => {
    const rig = await pinnedRig([0, 1])
    const [blind, other] = [rig.relays[0], rig.relays[1]]
    assert.ok(blind && other)
    blind.manners.seesDeposits = false
    const parcels = rig.post(3)
    await until(() => allAccepted(parcels), 'accepted elsewhere')
    assert.equal(other.taken.length, 3)
    await rig.close()
  })

  for (const outcome of ['bad-signature', 'wrong-terms', 'closing', 'wrong-epoch'] as const) {
    it(`leaves a relay that answers a voucher with ${outcome}`, async () => {
      const rig = await pinnedRig([0, 1])
      const [first, other] = [rig.relays[0], rig.relays[1]]
      assert.ok(first && other)
      first.manners.judge = () => outcome
      const parcels = rig.post(3)
      await until(() => allAccepted(parcels), 'accepted elsewhere')
      assert.equal(other.taken.length, 3)
      await rig.close()
    })
  }

  it('tops a channel up when its deposit is signed away', async () => {
    const rig = await pinnedRig([0], { settings: { depositBase: 1n } })
    const [fake] = rig.relays
    assert.ok(fake)
    fake.manners.quote = { minDepositBase: 1n, maxWindowUnits: 400_000 }
    const parcels = rig.post(400)
    await until(() => allAccepted(parcels), 'all accepted')
    assert.ok(rig.money.transactions.length > 1, `${rig.money.transactions.length} transactions`)
    assert.equal(fake.taken.length, 400)
    assert.equal(rig.entry.current?.relay.nodeId, fake.relay.nodeId)
    await rig.close()
  })

  it('says what the account lacks, and goes on when it has been given some', async () => {
    const money = fakeMoney(1n)
    const rig = await entryRig({ money })
    const parcels = rig.post(1)
    await until(() => rig.fatal.length > 0, 'told')
    assert.equal(errorCode(rig.fatal[0]), 'PAYMENT_INSUFFICIENT')
    money.mft = MFT
    rig.courier.pump()
    await until(() => allAccepted(parcels), 'accepted')
    await rig.close()
  })

  it('does not try the next relay when the chain refuses the deposit', async () => {
    const rig = await entryRig()
    rig.money.failure = new MainframeError('CHAIN_REJECTED', 'reverted')
    await assert.rejects(rig.entry.connect(), { code: 'CHAIN_REJECTED' })
    assert.equal(
      rig.relays.reduce((sum, { dials }) => sum + dials, 0),
      1,
    )
    await rig.close()
  })

  it('signs no more than a window ahead of what it sent', async () => {
    const rig = await pinnedRig([0])
    const [fake] = rig.relays
    assert.ok(fake)
    const parcels = rig.post(1)
    await until(() => allAccepted(parcels), 'accepted')
    await wait(50)
    const window = rig.entry.current?.link.channel?.windowUnits ?? 0
    assert.ok(window > 0)
    assert.ok(fake.durableUnits - fake.spentUnits <= window)
    await rig.close()
  })
})

describe('Courier', () => {
  it('drops a parcel for a key that cannot be used, and carries the next', async () => {
    const rig = await entryRig()
    const [bad] = rig.post(1, { to: new Uint8Array(32) })
    const good = rig.post(1)
    await until(() => allAccepted(good), 'the good one')
    assert.equal(bad?.outcome, 'bad-key')
    await rig.close()
  })

  it('says when there are too few relays for a path, and goes on', async () => {
    const rig = await entryRig({ relays: 3 })
    const [far] = rig.post(1)
    const near = rig.post(1, { hops: 2 })
    await until(() => allAccepted(near), 'the near one')
    assert.equal(far?.outcome, 'no-path')
    await rig.close()
  })

  it('hands on why the entry relay refuses a packet', async () => {
    const rig = await entryRig()
    for (const relay of rig.relays) relay.manners.refuse = () => 'underpaid'
    const parcels = rig.post(2)
    await until(() => parcels.every(({ outcome }) => outcome === 'underpaid'), 'refused')
    await rig.close()
  })

  it('keeps a bounded number of packets with the relay', async () => {
    const rig = await pinnedRig([0])
    const [fake] = rig.relays
    assert.ok(fake)
    await rig.entry.connect()
    await until(() => fake.durableUnits > 0, 'credit')
    fake.manners.acknowledges = false
    const parcels = rig.post(300)
    await wait(200)
    const shipped = parcels.filter(({ shipments }) => shipments > 0).length
    assert.ok(shipped > 0 && shipped <= 64, `${shipped} under way`)
    await rig.close()
  })

  it('gives packets a new path each, the same postage, and the named relay as address', async () => {
    const rig = await pinnedRig([0])
    const [fake] = rig.relays
    assert.ok(fake)
    const parcels = rig.post(60)
    await until(() => allAccepted(parcels), 'all accepted')
    assert.ok(new Set(parcels.map(({ path }) => path.join())).size > 20)
    const { table } = rig.directory.view
    assert.equal(fake.spentUnits, 60 * (table['1d'][3] ?? 0))
    const named = fake.taken.map((packet) => {
      const header = headerOf(packet)
      assert.ok(header !== 'malformed' && header.luminosity === NAMED_RELAY)
      return toHex(header.address)
    })
    const addressOf = new Map(rig.relays.map(({ relay }) => [relay.nodeId, toHex(relay.address)]))
    const first = parcels.map(({ path }) => addressOf.get(path[0] ?? '0x'))
    assert.deepEqual(named.sort(), first.sort())
    assert.ok(parcels.every(({ path }) => !path.includes(fake.relay.nodeId)))
    await rig.close()
  })

  it('goes through another entry when its window has become too small for the prices', async () => {
    const rig = await pinnedRig([0])
    const [fake] = rig.relays
    assert.ok(fake)
    await rig.entry.connect()
    const { view } = rig.directory
    const dearer = view.table['1d'].map((units) => units * 200)
    const table = { ...view.table, '1d': dearer, '14d': view.table['14d'].map((u) => u * 200) }
    for (const { manners } of rig.relays) manners.quote = { maxWindowUnits: 1e9 }
    rig.directory.view = { ...view, table }
    const parcels = rig.post(2)
    await until(() => allAccepted(parcels), 'accepted with a larger window')
    await rig.close()
  })
})
