import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE_PER_UNIT, fromHex, type Hex, type Quote } from '@mainframe/protocol'
import { Budget } from '../../../sdk/src/payments/budget.ts'
import { openChannel } from '../../../sdk/src/payments/channels.ts'
import { entryRig, pinFirst, until } from '../support/entry-rig.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { type FakeMoney, fakeMoney } from '../support/fake-money.ts'
import { makeRelay } from '../support/relays.ts'

const DAY_MS = 86_400_000
const NOON = Date.UTC(2030, 0, 1, 12)
const MFT = 10n ** 18n

interface Changes {
  money?: FakeMoney
  startMs?: number
  token?: Hex
}

function budgetOf(limitBase: bigint | undefined, changes: Changes = {}) {
  const { money = fakeMoney(), startMs = NOON, token = money.deployment.token } = changes
  const { deployment, context } = money
  const clock = fakeClock(startMs)
  const { store } = context
  const budget = new Budget({ store, clock, deployment, token, limitBase, leastBase: 10n })
  context.budget = budget
  /** The channel to a relay, with which amounts can be signed as a link does. */
  const channel = async (name = 'a') => {
    const quote = {
      minDepositBase: MFT / 10n,
      noticeSeconds: 86_400,
      baseUnitsPerUnit: 1n,
      token: fromHex(deployment.token),
    } as Quote
    return await openChannel(context, {
      relay: makeRelay(name),
      quote,
      depositBase: MFT,
      windowUnits: 10,
    })
  }
  return { money, store, clock, budget, channel }
}

describe('Budget', () => {
  it('counts nothing that goes past it, and says when it goes on', async () => {
    const { money, budget } = budgetOf(100n)
    await budget.count(90n)
    const resumesAtMs = Date.UTC(2030, 0, 2)
    const { token } = money.deployment
    await assert.rejects(budget.count(11n), {
      code: 'PAYMENT_BUDGET',
      message: /2030-01-02T00:00/,
      retryable: true,
      details: { token, limitBase: '100', resumesAtMs },
    })
    await budget.count(10n)
    await assert.rejects(budget.count(1n), { code: 'PAYMENT_BUDGET' })
    const { signedBase, remainingBase, resetsAtMs } = await budget.today()
    assert.deepEqual([signedBase, remainingBase, resetsAtMs], [100n, 0n, resumesAtMs])
  })

  it('lets no two amounts through at once of which one has room', async () => {
    const { budget } = budgetOf(100n)
    const outcomes = await Promise.allSettled([60n, 60n, 40n].map((base) => budget.count(base)))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  })

  it('is as signed after a restart, over all channels, and begins no new day when a clock is set back', async () => {
    const { money, channel } = budgetOf(100n)
    const [a, b] = [await channel('a'), await channel('b')]
    await a.record(30n)
    await a.record(50n)
    await b.record(20n)
    assert.equal((await budgetOf(100n, { money }).budget.today()).remainingBase, 30n)
    assert.equal((await budgetOf(50n, { money }).budget.today()).remainingBase, 0n)
    const other: Hex = `0x${'22'.repeat(20)}`
    assert.equal((await budgetOf(100n, { money, token: other }).budget.today()).signedBase, 0n)
    const earlier = budgetOf(100n, { money, startMs: NOON - 3 * DAY_MS })
    await assert.rejects(earlier.budget.count(31n), { code: 'PAYMENT_BUDGET' })
    assert.equal((await earlier.budget.today()).resetsAtMs, Date.UTC(2030, 0, 2))
    const again = await budgetOf(100n, { money }).channel('a')
    await assert.rejects(again.record(81n), { code: 'PAYMENT_BUDGET' })
    await again.record(80n)
    assert.equal((await budgetOf(100n, { money }).budget.today()).remainingBase, 0n)
  })

  it('takes what could not be made durable for signed', async () => {
    const { store, budget, channel } = budgetOf(100n)
    const one = await channel()
    const { set } = store
    store.set = async () => {
      throw new RangeError('disk full')
    }
    await assert.rejects(one.record(60n), /disk full/)
    store.set = set
    assert.equal((await budget.today()).signedBase, 60n)
    await assert.rejects(one.record(101n), { code: 'PAYMENT_BUDGET' })
  })

  it('says that the store holds something else', async () => {
    const { store, budget } = budgetOf(100n)
    await store.set('channel.1', Uint8Array.of(1))
    await assert.rejects(budget.today(), { code: 'STORE_CORRUPT' })
  })

  it('begins anew with each day, and has no end where none was set', async () => {
    const { money, clock, budget, channel } = budgetOf(100n)
    const one = await channel()
    await one.record(100n)
    await assert.rejects(budget.assertLeft(), { code: 'PAYMENT_BUDGET' })
    await clock.pass(DAY_MS / 2)
    await budget.assertLeft()
    await one.record(191n)
    await assert.rejects(budget.assertLeft(), { code: 'PAYMENT_BUDGET' }, 'less than the least')
    const next = budgetOf(100n, { money, startMs: NOON + DAY_MS })
    assert.equal((await next.budget.today()).signedBase, 91n)
    const open = budgetOf(undefined)
    await open.budget.count(10n ** 30n)
    assert.equal((await open.budget.today()).signedBase, 10n ** 30n)
    await open.budget.assertLeft()
  })
})

describe('A client with a budget', () => {
  const POSTAGE = 10_000n

  async function rigWith(limitBase: bigint) {
    const money = fakeMoney()
    const clock = fakeClock(NOON)
    const { deployment, context } = money
    const medium = { deployment, token: deployment.token, leastBase: BASE_PER_UNIT }
    context.budget = new Budget({ store: context.store, clock, limitBase, ...medium })
    const rig = await entryRig({ money })
    await pinFirst(rig, [0])
    const signed = () => {
      const amounts = rig.relays.flatMap(({ credits }) => credits.map(({ amount }) => amount))
      return amounts.reduce((most, amount) => (amount > most ? amount : most), 0n)
    }
    return { rig, clock, money, signed }
  }

  it('signs no more than that in a day, however much is to be sent, and deposits nothing for it', async () => {
    const limitBase = 20n * POSTAGE * BASE_PER_UNIT
    const { rig, clock, money, signed } = await rigWith(limitBase)
    rig.post(200)
    await until(() => rig.fatal.length > 0, 'the budget ends')
    const [error] = rig.fatal as { code: string; details: Record<string, unknown> }[]
    assert.equal(error?.code, 'PAYMENT_BUDGET')
    assert.equal(error?.details['resumesAtMs'], Date.UTC(2030, 0, 2))
    assert.ok(signed() > 0n && signed() <= limitBase, `${signed()}`)
    assert.ok((await money.context.budget.today()).signedBase <= limitBase)
    const deposits = money.transactions.length
    assert.equal(deposits, 1)
    // what is posted while the first one is being told fails with it
    const toldAgain = () => {
      rig.post(1)
      return rig.fatal.length > 1
    }
    await until(toldAgain, 'it is still at its end')
    const before = signed()
    await clock.pass(DAY_MS / 2)
    rig.post(5)
    await rig.entry.connect()
    rig.courier.pump()
    await until(() => signed() > before, 'a new day')
    assert.equal(money.transactions.length, deposits)
    await rig.close()
  })

  it('does not even connect where nothing may be spent, and blames no relay for it', async () => {
    const { rig, money } = await rigWith(0n)
    await assert.rejects(rig.entry.connect(), { code: 'PAYMENT_BUDGET' })
    assert.equal(
      rig.relays.reduce((sum, { dials }) => sum + dials, 0),
      0,
    )
    assert.deepEqual(money.transactions, [])
    await rig.close()
  })
})
