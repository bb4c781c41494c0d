import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { benchPayments, type PaymentFigures } from '../../bench/payments.ts'
import { whenLong } from '../helpers/long.ts'

/** Enough to see that everything is measured; how fast it is, a bench says and no test. */
const TINY = {
  verifyRounds: 4,
  creditRounds: 2,
  vouchersOfEachPayer: 3,
  traffic: { rounds: 2, packetsOfRound: 600 },
}

describe('the payments bench', whenLong, () => {
  let figures: PaymentFigures
  const progress: string[] = []
  before(async () => {
    figures = await benchPayments(TINY, (line) => progress.push(line))
  })

  it('gives every figure, and none that is not a measured one', () => {
    const wanted = [
      'verifyPerSecond',
      'bareVerifyPerSecond',
      'bareEcdsaVerifyPerSecond',
      'creditNsPerPacket',
      'durableVouchersPerSecond',
      'commitP99Ms',
      'packetsPerSecondPaid',
      'packetsPerSecondFree',
      'paidRatio',
      'paidCpuRatio',
    ]
    assert.deepEqual(Object.keys(figures).toSorted(), wanted.toSorted())
    for (const [name, value] of Object.entries(figures)) {
      assert.ok(Number.isFinite(value) && value > 0, `${name} is ${value}`)
    }
  })

  it('compares the relay with itself, paid and free', () => {
    const { packetsPerSecondPaid, packetsPerSecondFree, paidRatio } = figures
    assert.ok(Math.abs(paidRatio - packetsPerSecondPaid / packetsPerSecondFree) < 0.01 * paidRatio)
    for (const kind of ['paid', 'free']) {
      assert.equal(progress.filter((line) => line.startsWith(`${kind}:`)).length, 4, `${progress}`)
    }
  })
})
