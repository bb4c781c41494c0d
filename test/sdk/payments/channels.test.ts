import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE_PER_UNIT, fromHex, MainframeError, type Quote, toHex } from '@mainframe/protocol'
import { readChannels } from '../../../sdk/src/payments/channel-records.ts'
import { openChannel, refreshChannel, topUpChannel } from '../../../sdk/src/payments/channels.ts'
import { advanceClose } from '../../../sdk/src/payments/close-channel.ts'
import { type FakeMoney, fakeMoney } from '../support/fake-money.ts'
import { deployment } from '../support/honest-indexer.ts'
import { makeRelay } from '../support/relays.ts'

const MFT = 10n ** 18n
const relay = makeRelay('r')
const token = fromHex(deployment.token)
const terms = { minDepositBase: MFT / 10n, noticeSeconds: 86_400 }
const quote = { ...terms, token, baseUnitsPerUnit: BASE_PER_UNIT }

const nobodyAnswers = async () => undefined

function open(money: FakeMoney, changes: { depositBase?: bigint; quote?: Partial<Quote> } = {}) {
  return openChannel(money.context, {
    relay,
    quote: { ...quote, ...changes.quote } as Quote,
    depositBase: changes.depositBase ?? MFT,
    windowUnits: 1_000_000,
  })
}

describe('openChannel', () => {
  it('says what the account lacks, and sends nothing', async () => {
    const money = fakeMoney(MFT / 20n)
    await assert.rejects(open(money), (error) => {
      assert.ok(error instanceof MainframeError)
      assert.equal(error.code, 'PAYMENT_INSUFFICIENT')
      assert.equal(error.details['neededBase'], `${MFT / 10n}`)
      assert.equal(error.details['walletBase'], `${MFT / 20n}`)
      return true
    })
    assert.deepEqual(money.transactions, [])
  })

  it('refuses a notice that the contract would refuse, before money moves', async () => {
    const money = fakeMoney()
    const long = { noticeSeconds: 2_592_001 }
    await assert.rejects(open(money, { quote: long }), { code: 'PAYMENT_UNVERIFIED' })
    assert.deepEqual(money.transactions, [])
  })

  it('refuses a channel that is closing', async () => {
    const money = fakeMoney()
    await open(money)
    const [record] = await readChannels(money.context.store)
    assert.ok(record)
    await advanceClose(money.context, record, nobodyAnswers)
    await assert.rejects(open(money), { code: 'PAYMENT_UNVERIFIED', message: /closing/ })
  })

  it('deposits once and finds the channel again, with what was signed on it', async () => {
    const money = fakeMoney()
    const first = await open(money)
    assert.deepEqual(money.transactions, [{ method: 'deposit', amount: MFT }])
    assert.deepEqual([first.depositBase, first.signedBase, first.epoch], [MFT, 0n, 1])
    await first.record(123n)
    const again = await open(money)
    assert.equal(money.transactions.length, 1)
    assert.equal(toHex(again.channelId), toHex(first.channelId))
    assert.equal(again.signedBase, 123n)
  })

  it('is remembered before its deposit leaves, so that a crash or a silent chain loses none', async () => {
    const money = fakeMoney()
    const { account } = money.context
    const { send } = account
    account.send = async (transaction) => {
      await send(transaction)
      throw new MainframeError('CHAIN_UNREACHABLE', 'mined, but nobody said so')
    }
    await assert.rejects(open(money), { code: 'CHAIN_UNREACHABLE' })
    account.send = send
    const [record] = await readChannels(money.context.store)
    assert.ok(record)
    assert.equal((await advanceClose(money.context, record, nobodyAnswers)).state, 'closing')
    money.nowSeconds += 86_400
    assert.equal((await advanceClose(money.context, record, nobodyAnswers)).state, 'closed')
    assert.equal(money.mft, 100n * MFT)
  })

  it('begins from what was claimed when the store is older than that', async () => {
    const money = fakeMoney()
    await open(money)
    for (const [id, slot] of money.slots) money.slots.set(id, { ...slot, claimed: 77n })
    assert.equal((await open(money)).signedBase, 77n)
  })

  it('stays in its channel when the relay asks for a shorter notice, and not when for a longer', async () => {
    const money = fakeMoney()
    const first = await open(money)
    const shorter = await open(money, { quote: { noticeSeconds: 7_200 } })
    assert.equal(toHex(shorter.channelId), toHex(first.channelId))
    const longer = await open(money, { quote: { noticeSeconds: 90_000 } })
    assert.notEqual(toHex(longer.channelId), toHex(first.channelId))
  })

  it('counts from nothing in a new epoch: amounts of the old one are void', async () => {
    const money = fakeMoney()
    const first = await open(money)
    await first.record(999n)
    const [record] = await readChannels(money.context.store)
    assert.ok(record)
    await advanceClose(money.context, record, nobodyAnswers)
    money.nowSeconds += 86_400
    assert.equal((await advanceClose(money.context, record, nobodyAnswers)).state, 'closed')
    const second = await open(money)
    assert.deepEqual([second.epoch, second.signedBase], [2, 0n])
  })

  it('deposits at least what the relay wants and ten windows', async () => {
    const money = fakeMoney()
    await open(money, { depositBase: 1n, quote: { minDepositBase: 3n * MFT } })
    assert.equal(money.transactions[0]?.amount, 3n * MFT)
    const other = fakeMoney()
    await open(other, { depositBase: 1n, quote: { minDepositBase: 1n } })
    assert.equal(other.transactions[0]?.amount, 10n * 1_000_000n * BASE_PER_UNIT)
  })

  it('makes do with what the account has when that is enough for the relay', async () => {
    const money = fakeMoney(MFT / 2n)
    const channel = await open(money)
    assert.equal(channel.depositBase, MFT / 2n)
  })
})

describe('topUpChannel', () => {
  it('adds to the deposit and keeps epoch and signed amount', async () => {
    const money = fakeMoney()
    const channel = await open(money)
    channel.signedBase = 55n
    const larger = await topUpChannel(money.context, channel, 2n * MFT)
    assert.deepEqual([larger.depositBase, larger.signedBase, larger.epoch], [3n * MFT, 55n, 1])
  })

  it('says so when the account is empty', async () => {
    const money = fakeMoney(MFT)
    const channel = await open(money)
    await assert.rejects(topUpChannel(money.context, channel, MFT), {
      code: 'PAYMENT_INSUFFICIENT',
    })
  })
})

describe('refreshChannel', () => {
  it('notices that a channel was closed meanwhile', async () => {
    const money = fakeMoney()
    const channel = await open(money)
    const [[id]] = [...money.slots] as [[`0x${string}`, unknown]]
    money.slots.set(id, { deposit: 0n, claimed: 0n, closesAt: 0, epoch: 1 })
    await assert.rejects(refreshChannel(money.context, channel), { code: 'PAYMENT_UNVERIFIED' })
    money.slots.set(id, { deposit: MFT, claimed: 0n, closesAt: 9, epoch: 1 })
    await assert.rejects(refreshChannel(money.context, channel), { code: 'PAYMENT_UNVERIFIED' })
    money.slots.set(id, { deposit: MFT, claimed: 0n, closesAt: 0, epoch: 2 })
    await assert.rejects(refreshChannel(money.context, channel), { code: 'PAYMENT_UNVERIFIED' })
  })
})

describe('advanceClose', () => {
  it('asks, waits for the notice, and brings the rest back into the wallet', async () => {
    const money = fakeMoney(10n * MFT)
    await open(money)
    const [record] = await readChannels(money.context.store)
    assert.ok(record)
    const asked = await advanceClose(money.context, record, nobodyAnswers)
    assert.ok(asked.state === 'closing')
    assert.equal(asked.closesAtSeconds, money.nowSeconds + 86_400)
    money.nowSeconds += 86_399
    assert.deepEqual(await advanceClose(money.context, record, nobodyAnswers), asked)
    money.nowSeconds += 1
    assert.equal((await advanceClose(money.context, record, nobodyAnswers)).state, 'closed')
    assert.equal(money.mft, 10n * MFT)
    assert.equal((await advanceClose(money.context, record, nobodyAnswers)).state, 'closed')
    assert.deepEqual(
      money.transactions.map(({ method }) => method),
      ['deposit', 'requestClose', 'finalizeTo'],
    )
  })
})
