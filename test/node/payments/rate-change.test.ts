import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { decodeCredit, type Hex, toHex } from '@mainframe/protocol'
import type { Directory } from '../../../node/src/chain/directory.ts'
import { CreditLedger, unclaimedOf } from '../../../node/src/payments/credit-ledger.ts'
import { Releases } from '../../../node/src/payments/releases.ts'
import type { StoredVoucher } from '../../../node/src/payments/voucher-log.ts'
import {
  createChannel,
  DOMAIN,
  MEDIUM,
  PAYEE_SECRET,
  type TestChannel,
  voucher,
  WINDOW_UNITS,
} from '../support/payee-world.ts'
import { Seeded } from '../support/seeded.ts'

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 32))
const LIVES = 40

/** A payee whose channels and vouchers outlive its process. */
class Payee {
  readonly vouchers = new Map<string, StoredVoucher>()
  readonly released = new Map<string, { channelId: Hex; epoch: number; amount: bigint }>()
  readonly channel: TestChannel

  constructor(channel: TestChannel) {
    this.channel = channel
  }

  /** As after a restart with this rate; with none it does not take the medium any more. */
  start(baseUnitsPerUnit: bigint | undefined) {
    const { row } = this.channel
    const directory: Directory = {
      relays: new Map(),
      channels: new Map([[row.channelId, row]]),
      earlierClaims: new Map(),
      epoch: undefined,
      confirmedBlock: 1,
      byPeerKey: () => undefined,
      subscribe: () => () => {},
    }
    const other = { ...MEDIUM, token: `0x${'12'.repeat(20)}` as Hex }
    const medium = baseUnitsPerUnit && { ...MEDIUM, minDepositBase: 1n, baseUnitsPerUnit }
    const common = { directory, payee: row.payee, domain: DOMAIN }
    const put = async (stored: StoredVoucher) => void this.vouchers.set(stored.channelId, stored)
    const ledger = new CreditLedger({
      ...common,
      viewAgeSeconds: () => 0,
      maxViewAgeSeconds: 1,
      vouchers: { entries: this.vouchers, put },
      released: { entries: this.released },
      terms: {
        media: [other, ...(medium ? [medium] : [])],
        minNoticeSeconds: 1,
        maxWindowUnits: WINDOW_UNITS,
      },
    })
    const end = {
      put: async (ended: { channelId: Hex; epoch: number; amount: bigint }) =>
        void this.released.set(ended.channelId, ended),
    }
    const releases = new Releases({ ...common, released: end, ledger, payeeSecret: PAYEE_SECRET })
    const offer = async (amount: bigint) => {
      const credit = decodeCredit(voucher({ ...this.channel, rate: 1n }, Number(amount)))
      return await ledger.offer(credit ?? assert.fail(), {})
    }
    return { ledger, releases, offer }
  }
}

const channelOf = () => createChannel(10 ** 12, { ...MEDIUM, baseUnitsPerUnit: 1n })

describe('Credit of a relay that starts again with another rate', () => {
  it(`is never more than was paid, nor less but for what was unspent and parts of units (seed ${SEED})`, async () => {
    const { below } = new Seeded(SEED)
    const payee = new Payee(channelOf())
    const { row } = payee.channel
    let [promised, servedBase] = [0n, 0n]
    for (let life = 0; life < LIVES; life++) {
      const rate = BigInt(1 + below(below(2) ? 10 : 1_000))
      const { ledger, offer } = payee.start(rate)
      const before = promised
      let served = 0n
      for (let i = 1 + below(4); i > 0; i--) {
        promised += BigInt(1 + below(5_000))
        const { outcome, account } = await offer(promised)
        assert.equal(outcome, 'accepted', `life ${life}`)
        if (!account) return
        assert.equal(account.durableUnits, Number(promised / rate), 'what a payer reckons itself')
        const credit = account.durableUnits - account.spentUnits
        if (credit <= 0) continue
        const spent = 1 + below(credit)
        account.spentUnits += spent
        served += BigInt(spent)
      }
      const paidNow = promised - before
      servedBase += served * rate
      assert.ok(served * rate <= paidNow, `life ${life}: ${served} at ${rate} for ${paidNow}`)
      const account = ledger.creditOf(row.channelId)
      assert.ok(account)
      const credit = BigInt(account.durableUnits - account.spentUnits) + served
      assert.ok(credit * rate > paidNow - 2n * rate, `life ${life}: ${credit} for ${paidNow}`)
      assert.equal(ledger.acceptedBase(row), promised)
      assert.equal(unclaimedOf(row, { entries: payee.vouchers }), promised, 'all of it is owed')
    }
    assert.ok(servedBase <= promised)
  })

  it('counts a part of a unit that was left as spent, when the rate falls and when it rises', async () => {
    const payee = new Payee(channelOf())
    assert.equal((await payee.start(1n).offer(19n)).outcome, 'accepted')
    const dearer = (await payee.start(10n).offer(29n)).account
    assert.deepEqual([dearer?.durableUnits, dearer?.spentUnits], [2, 2])
    const cheaper = (await payee.start(3n).offer(32n)).account
    assert.deepEqual([cheaper?.durableUnits, cheaper?.spentUnits], [10, 10])
  })

  it('takes no voucher again, whatever it would be worth now', async () => {
    const payee = new Payee(channelOf())
    assert.equal((await payee.start(10n).offer(1_000n)).outcome, 'accepted')
    assert.equal((await payee.start(1n).offer(1_000n)).outcome, 'not-greater')
    assert.equal((await payee.start(1n).offer(999n)).outcome, 'not-greater')
  })

  it('takes no more than a window above what was paid before', async () => {
    const payee = new Payee(channelOf())
    assert.equal((await payee.start(10n).offer(10n * BigInt(WINDOW_UNITS))).outcome, 'accepted')
    const { offer } = payee.start(1n)
    assert.equal((await offer(11n * BigInt(WINDOW_UNITS) + 1n)).outcome, 'over-window')
    assert.equal((await offer(11n * BigInt(WINDOW_UNITS))).outcome, 'accepted')
  })

  it('is owed whole, and let go for all of it, when the medium is not taken any more', async () => {
    const payee = new Payee(channelOf())
    await payee.start(7n).offer(1_000n)
    const { row } = payee.channel
    const { ledger, offer } = payee.start(undefined)
    assert.equal((await offer(2_000n)).outcome, 'wrong-terms')
    assert.equal(ledger.earned()[MEDIUM.token]?.unclaimedBase, 1_000n)
    assert.equal(ledger.acceptedBase(row), 1_000n)
    assert.equal(ledger.endEpoch(row), 1_000n)
    assert.deepEqual(
      [ledger.rateOf(MEDIUM.token), toHex(payee.channel.id)],
      [undefined, row.channelId],
    )
  })
})
