/** What payment costs a packet: the rule's look at the credit of a link, and its debit. */
import type { ChannelAccount } from '../../node/src/payments/credit-ledger.ts'
import { debit, hasCredit } from '../../node/src/routing/rule.ts'
import { takeTurns, timed } from '../world/rounds.ts'
import { BenchPayee } from './payers.ts'

/** Links that pay in turn, so that no account stays in a register. */
const ACCOUNTS = 256
const PACKETS_PER_ROUND = 200_000
const POSTAGE_UNITS = 2_400
const WARM_UP = 20

/** Nanoseconds of a comparison and an addition on the accounts of a real ledger. */
export async function measureCredit(rounds: number): Promise<number> {
  const payee = new BenchPayee()
  const [vouchers = []] = payee.sign(ACCOUNTS, 1)
  const offers = await Promise.all(vouchers.map((v) => payee.ledger.offer(v.credit, v.link)))
  const accounts = offers.flatMap(({ account }) => account ?? [])
  for (const account of accounts) account.durableUnits = Number.MAX_SAFE_INTEGER
  const pay = timed(() => {
    if (payAll(accounts) !== PACKETS_PER_ROUND) throw new Error('A packet was not paid')
  })
  const measured = await takeTurns({ rounds, warmUp: WARM_UP }, { pay })
  return (measured.ms.pay * 1e6) / (measured.rounds * PACKETS_PER_ROUND)
}

function payAll(accounts: readonly ChannelAccount[]): number {
  let paid = 0
  for (let packet = 0; packet < PACKETS_PER_ROUND; packet++) {
    const account = accounts[packet % ACCOUNTS]
    if (!hasCredit(account, POSTAGE_UNITS)) continue
    debit(account, POSTAGE_UNITS)
    paid += 1
  }
  return paid
}
