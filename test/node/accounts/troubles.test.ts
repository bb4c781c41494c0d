import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import { balanceOf } from '../../../node/src/accounts/book.ts'
import { type AccountName, COIN } from '../../../node/src/accounts/chart.ts'
import { findDifferences } from '../../../node/src/accounts/compare.ts'
import { formatDay } from '../../../node/src/accounts/days.ts'
import { gatherFacts } from '../../../node/src/accounts/facts.ts'
import { type LedgerRecord, ledgerForm } from '../../../node/src/accounts/records.ts'
import { Seeded } from '../support/seeded.ts'
import { MemoryJournal } from './memory-journal.ts'
import { Model, TOKEN } from './model.ts'

/** A relay that has been paid and has served. */
async function relay() {
  const model = new Model(new Seeded(7))
  const journal = new MemoryJournal()
  const accounts = model.keep(journal)
  await accounts.flush()
  for (let i = 0; i < 10; i++) model.trade()
  await accounts.flush()
  const of = (name: AccountName, medium: Hex = TOKEN) => balanceOf(journal.book, medium, name)
  const differences = () => {
    const directory = { ...model.directory, confirmedBlock: 0 }
    const facts = gatherFacts({ ...model.sources, directory })
    return findDifferences(journal.book, { facts, cash: model.cash, token: TOKEN })
  }
  const [channel] = model.channels.values()
  assert.ok(channel && of('vouchers') > 0n && of('advances') > 0n && of('route') > 0n)
  return { model, journal, accounts, of, differences, channel }
}

describe('When something is wrong, the ledger of a relay', () => {
  it('does not paper over a voucher that the log has lost, until the chain explains it', async () => {
    const { model, journal, of, differences, channel } = await relay()
    const promised = of('vouchers')
    const kept = model.vouchers.get(channel.channelId)
    assert.ok(kept)
    model.restart()
    model.vouchers.set(channel.channelId, { ...kept, amount: kept.amount - 1_000n })
    const restarted = model.keep(journal)
    await restarted.flush()
    assert.equal(of('lost'), 0n)
    const [difference, ...others] = differences()
    assert.deepEqual(others, [])
    assert.deepEqual(difference, {
      medium: TOKEN,
      account: 'vouchers',
      channelId: channel.channelId,
      peer: channel.payer,
      by: 'logs and chain',
      ledgerBase: `${promised}`,
      foundBase: `${promised - 1_000n}`,
      differenceBase: '-1000',
    })
    model.channels.set(channel.channelId, { ...channel, state: 'closed' })
    await restarted.flush()
    assert.deepEqual(differences(), [])
    assert.equal(of('lost'), promised)
  })

  it('forgets the difference when the payer signs on, as a larger voucher holds the lost one', async () => {
    const { model, journal, differences, channel } = await relay()
    const kept = model.vouchers.get(channel.channelId)
    assert.ok(kept)
    model.vouchers.delete(channel.channelId)
    model.restart()
    const restarted = model.keep(journal)
    await restarted.flush()
    assert.equal(differences().length, 1)
    model.vouchers.set(channel.channelId, { ...kept, amount: kept.amount + 5n })
    await restarted.flush()
    assert.deepEqual(differences(), [])
  })

  it('does not listen to a node that is behind, and loses nothing by it', async () => {
    const { model, journal, of, differences } = await relay()
    const ahead = { ...model.directory, confirmedBlock: 9 }
    await model.keep(journal, { directory: ahead }).flush()
    const behind = { ...model.directory, channels: new Map(), confirmedBlock: 8 }
    const accounts = model.keep(journal, { directory: behind })
    const before = of('route')
    model.trade()
    const { hasCash } = await accounts.flush()
    assert.equal(hasCash, false)
    assert.equal(of('route'), before)
    Object.assign(behind, ahead)
    await accounts.flush()
    assert.ok(of('route') > before)
    assert.deepEqual(differences(), [])
  })

  it('goes on while the chain does not tell what lies in wallet and vault, and makes up for it', async () => {
    const { model, journal, of, differences } = await relay()
    let isAway = true
    const cashAt = async () => {
      if (isAway) throw new TypeError('the chain is away')
      return model.cash
    }
    const accounts = model.keep(journal, { cashAt })
    const [earned, wallet] = [of('route'), of('wallet')]
    model.trade()
    model.truth.wallet += 12_345n
    model.gas.note({ blockNumber: 0, costBase: 77n })
    model.truth.coin -= 100n
    assert.equal((await accounts.flush()).hasCash, false)
    assert.ok(of('route') > earned)
    assert.equal(of('wallet'), wallet)
    isAway = false
    assert.equal((await accounts.flush()).hasCash, true)
    assert.equal(of('wallet'), wallet + 12_345n)
    assert.deepEqual([of('gas', COIN), of('unseen', COIN)], [77n, 23n])
    assert.deepEqual(differences(), [])
  })

  it('says at the start what it did not know of', async () => {
    const { model, journal } = await relay()
    for (let i = 0; i < 10; i++) model.trade()
    const told: bigint[] = []
    model.restart()
    const onUnattributed = (base: bigint) => void told.push(base)
    const restarted = model.keep(journal, { onUnattributed })
    await restarted.start()
    await restarted.stop()
    assert.deepEqual(told, [balanceOf(journal.book, TOKEN, 'unattributed')])
    assert.ok((told[0] ?? 0n) > 0n)
    const again = model.keep(journal, { onUnattributed })
    await again.start()
    await again.stop()
    assert.equal(told.length, 1, 'nothing is unknown after a stop in order')
  })

  it('ends the relay when the disk refuses', async () => {
    const { model, journal } = await relay()
    const failed = Promise.withResolvers<unknown>()
    const accounts = model.keep(journal, { flushMs: 1, onFailure: failed.resolve })
    await accounts.start()
    journal.write = () => Promise.reject(new TypeError('no space left'))
    assert.match(String(await failed.promise), /no space left/)
    await assert.rejects(accounts.stop(), /no space left/)
  })
})

describe('The days of a ledger', () => {
  it('end at midnight UTC, when it is written whatever else', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 7, 18, 23, 59, 57) })
    const { model, journal, of } = await relay()
    const evening = of('route') // on a day of the model's own
    model.trade()
    const accounts = model.keep(journal, { now: Date.now, flushMs: 60_000 })
    await accounts.start()
    const routeOf = (day: string) => routeOn(journal, day)
    model.trade()
    await tick(t, 4_000)
    const before = of('route') - evening
    assert.ok(before > 0n)
    model.trade()
    await tick(t, 60_000)
    assert.deepEqual(
      [routeOf('2026-08-18'), routeOf('2026-08-19')],
      [before, of('route') - evening - before],
    )
    await accounts.stop()
  })

  /** What was earned by routing on a day. */
  function routeOn({ book }: MemoryJournal, day: string): bigint {
    const entries = [...book.entries.values()]
    const found = entries.find((entry) => entry.credit === 'route' && formatDay(entry.day) === day)
    return found?.amountBase ?? 0n
  }

  async function tick(t: { mock: { timers: { tick(ms: number): void } } }, ms: number) {
    t.mock.timers.tick(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
})

describe('What stands in a ledger file', () => {
  it('is read again as it was written, and not at all when it is something else', async () => {
    const { journal } = await relay()
    const sheet = journal.book.sheet
    const [entry] = journal.book.entries.values()
    assert.ok(sheet && entry)
    const records: LedgerRecord[] = [{ entry }, { sheet }]
    for (const record of records) {
      const bytes = ledgerForm.encode(record)
      assert.deepEqual(ledgerForm.decode(bytes), record)
      assert.equal(ledgerForm.decode(bytes.subarray(1)), undefined)
      assert.equal(ledgerForm.decode(Uint8Array.of(3, ...bytes.subarray(1))), undefined)
    }
    const bytes = ledgerForm.encode({ entry })
    bytes[3] = 200 // no account has this number
    assert.equal(ledgerForm.decode(bytes), undefined)
    const row = ledgerForm.encode({ sheet })
    row[18] = 200
    assert.equal(ledgerForm.decode(row), undefined)
    const below = { ...sheet, balances: [{ medium: TOKEN, account: 'wallet' as const, base: -5n }] }
    assert.deepEqual(ledgerForm.decode(ledgerForm.encode({ sheet: below })), { sheet: below })
  })
})
