/**
 * Payments off, as a part that only a bench puts into a relay's process: credit that never runs out.
 * A payer that is told of it signs nothing more, so neither side checks, signs or stores vouchers.
 */
import { baseToUnits } from '@mainframe/protocol'
import { type ChannelAccount, CreditLedger } from '../../node/src/payments/credit-ledger.ts'
import { onNote, tellBench } from '../world/child.ts'

type Totals = Pick<ChannelAccount, 'durableUnits' | 'spentUnits'>

/** More than any bench spends, and small enough for the sums that payers make of it. */
const ENDLESS_UNITS = 2 ** 52

/** Lets the bench switch payment off and on again, for every channel that pays this process. */
export function installEndlessCredit(): void {
  const accounts = new Set<ChannelAccount>()
  /** What a channel has really paid and spent, while its credit is endless. */
  const real = new Map<ChannelAccount, Totals>()
  const offer = CreditLedger.prototype.offer
  CreditLedger.prototype.offer = async function (credit, link) {
    const offered = await offer.call(this, credit, link)
    if (!offered.account) return offered
    accounts.add(offered.account)
    const totals = real.get(offered.account)
    if (totals) totals.durableUnits = Math.max(totals.durableUnits, baseToUnits(credit.amount))
    return offered
  }
  onNote('payments', ({ on }) => {
    if (on) for (const [account, totals] of real) Object.assign(account, totals)
    real.clear()
    for (const account of on ? [] : accounts) {
      real.set(account, { durableUnits: account.durableUnits, spentUnits: account.spentUnits })
      account.durableUnits = ENDLESS_UNITS
    }
    tellBench('payments-switched')
  })
}
