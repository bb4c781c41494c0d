import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE_PER_UNIT, type Hex } from '@mainframe/protocol'
import { memoryStore, type Store } from '@mainframe/sdk'
import { Budget } from '../../../sdk/src/payments/budget.ts'
import { entryRig, pinFirst, until } from '../support/entry-rig.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { fakeMoney } from '../support/fake-money.ts'

const DAY_MS = 86_400_000
const NOON = Date.UTC(2030, 0, 1, 12)
const token: Hex = `0x${'11'.repeat(20)}`

function budgetOf(limitBase: bigint | undefined, store: Store = memoryStore(), startMs = NOON) {
  const clock = fakeClock(startMs)
  return { store, clock, budget: new Budget({ store, clock, token, limitBase, leastBase: 10n }) }
}

describe('Budget', () => {
  it('counts nothing that goes past it, and says when it goes on', async () => {
    const { budget } = budgetOf(100n)
    await budget.spend(90n)
    const resumesAtMs = Date.UTC(2030, 0, 2)
    await assert.rejects(budget.spend(11n), {
      code: 'PAYMENT_BUDGET',
      message: /2030-01-02T00:00/,
      retryable: true,
      details: { token, limitBase: '100', resumesAtMs },
    })
    await budget.spend(10n)
    await assert.rejects(budget.spend(1n), { code: 'PAYMENT_BUDGET' })
    const { signedBase, remainingBase, resetsAtMs } = await budget.today()
    assert.deepEqual([signedBase, remainingBase, resetsAtMs], [100n, 0n, resumesAtMs])
  })

  it('lets no two amounts through at once of which one has room', async () => {
    const { budget } = budgetOf(100n)
    const outcomes = await Promise.allSettled([60n, 60n, 40n].map((base) => budget.spend(base)))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  })

  it('is as spent after a restart, of a smaller limit too, and does not begin anew when a clock is set back', async () => {
    const { store, budget } = budgetOf(100n)
    await budget.spend(70n)
    assert.equal((await budgetOf(100n, store).budget.today()).remainingBase, 30n)
    assert.equal((await budgetOf(50n, store).budget.today()).remainingBase, 0n)
    const earlier = budgetOf(100n, store, NOON - 3 * DAY_MS)
    await assert.rejects(earlier.budget.spend(31n), { code: 'PAYMENT_BUDGET' })
    assert.equal((await earlier.budget.today()).resetsAtMs, Date.UTC(2030, 0, 2))
  })

  it('counts nothing that could not be made durable', async () => {
    const { store, budget } = budgetOf(100n)
    const { set } = store
    store.set = async () => {
      throw new RangeError('disk full')
    }
    await assert.rejects(budget.spend(60n), /disk full/)
    store.set = set
    assert.equal((await budget.today()).signedBase, 0n)
    await budget.spend(60n)
  })

  it('says that the store holds something else', async () => {
    const { store, budget } = budgetOf(100n)
    await store.set(`budget.${token.slice(2)}`, Uint8Array.of(1))
    await assert.rejects(budget.today(), { code: 'STORE_CORRUPT' })
  })

  it('begins anew with each day, and has no end where none was set', async () => {
    const { clock, budget } = budgetOf(100n)
    await budget.spend(100n)
    await assert.rejects(budget.assertLeft(), { code: 'PAYMENT_BUDGET' })
    await clock.pass(DAY_MS / 2)
    await budget.assertLeft()
    await budget.spend(91n)
    await assert.rejects(budget.assertLeft(), { code: 'PAYMENT_BUDGET' }, 'less than the least')
    const open = budgetOf(undefined)
    await open.budget.spend(10n ** 30n)
    assert.equal((await open.budget.today()).signedBase, 10n ** 30n)
    await open.budget.assertLeft()
  })
})

describe('A client with a budget', () => {
  const POSTAGE = 10_000n

  async function rigWith(limitBase: bigint) {
    const money = fakeMoney()
    const clock = fakeClock(NOON)
    const { store } = money.context
    const medium = { token: money.deployment.token, leastBase: BASE_PER_UNIT }
    money.context.budget = new Budget({ store, clock, limitBase, ...medium })
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
    rig.post(5)
    await until(() => rig.fatal.length > 1, 'it is still at its end')
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
