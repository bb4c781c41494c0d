/** From facts to entries: what the ledger lacks is posted, so that nothing is lost or entered twice. */
import { type Book, post } from './book.ts'
import { type AccountName, CHARGED_SERVICES, type ChargedService, type Service } from './chart.ts'
import type { IncomingFacts, OutgoingFacts } from './facts.ts'

/** What packets were charged, in base units. */
export type ChargedBase = Readonly<Record<ChargedService, bigint>>

export interface Earned {
  /** Since the last time, in the present epoch and in those before it. */
  charged: ChargedBase
  chargedEarlier: ChargedBase
  /** Prepaid and not spent: what stays an advance. */
  unspentBase: bigint
  /** What else was prepaid is entered as. */
  leftover: Extract<Service, 'retired' | 'unattributed'>
}

export const NOTHING_CHARGED: ChargedBase = { route: 0n, hold: 0n, onward: 0n, surplus: 0n }

/** Enters a channel that pays this relay; an epoch that has ended is brought to its end first. */
export function settleIncoming(
  book: Book,
  day: number,
  facts: IncomingFacts & { earned: Earned },
): void {
  const { earned, epoch, earlierBase } = facts
  if (epoch > epochIn(book, facts)) {
    const ended = { ...facts, epoch: epoch - 1, claimedBase: earlierBase, vouchersBase: 0n }
    const rest = { ...earned, charged: earned.chargedEarlier, unspentBase: 0n }
    settleEpoch(book, day, { ...ended, earned: rest, isExplained: true })
  }
  settleEpoch(book, day, { ...facts, isExplained: facts.isClosed })
}

function settleEpoch(
  book: Book,
  day: number,
  facts: IncomingFacts & { earned: Earned; isExplained: boolean },
): void {
  const { claimedBase, vouchersBase, earned, isExplained } = facts
  const { move, of } = mover(book, day, facts)
  const grownBase = vouchersBase + claimedBase - of('vouchers') - of('vault')
  if (grownBase > 0n) move('vouchers', 'advances', grownBase)
  for (const service of CHARGED_SERVICES) move('advances', service, earned.charged[service])
  if (claimedBase > of('vault')) move('vault', 'vouchers', claimedBase - of('vault'))
  // A fall that the chain does not explain is a voucher that the log has lost: it is left standing for
  // an audit to name, until the channel's next voucher or its end brings it in order.
  if (grownBase < 0n && isExplained) {
    const cancelledBase = least(-grownBase, most(of('advances'), 0n))
    move('advances', 'vouchers', cancelledBase)
    move('lost', 'vouchers', -grownBase - cancelledBase)
  }
  // served, and for nothing: more was charged than can ever be claimed
  if (of('advances') < 0n) move('lost', 'advances', -of('advances'))
  const leftBase = of('advances') - earned.unspentBase
  if (leftBase > 0n) move('advances', earned.leftover, leftBase)
}

/**
 * Enters a channel from which this relay pays. An epoch that has ended is brought to its end first, under
 * its own number: what a kill leaves of these entries must not look as if the new epoch had begun.
 */
export function settleOutgoing(book: Book, day: number, facts: OutgoingFacts): void {
  const { epoch, earlierBase, claimedBase, restBase, signedBase, isClosed } = facts
  if (epoch > epochIn(book, facts)) {
    const { move, of } = mover(book, day, { ...facts, epoch: epoch - 1 })
    if (earlierBase > of('paid')) move('paid', 'signed', earlierBase - of('paid'))
    move('signed', 'unsigned', -of('signed'))
  }
  const { move, of } = mover(book, day, facts)
  if (claimedBase > of('paid')) move('paid', 'signed', claimedBase - of('paid'))
  const signedMore = signedBase - of('signed')
  if (signedMore > 0n || isClosed) move('signed', 'unsigned', signedMore)
  move('unsigned', 'vault', restBase - of('unsigned') - of('signed'))
}

/** The newest epoch of a channel that the ledger knows of; 0 for none. */
function epochIn({ channels }: Book, { id }: IncomingFacts | OutgoingFacts): number {
  return channels.get(id)?.epoch ?? 0
}

/** Moves amounts of one channel, and says how its accounts stand. */
function mover(book: Book, day: number, facts: IncomingFacts | OutgoingFacts) {
  const { id, peer, medium, epoch } = facts
  const of = (account: AccountName) => book.channels.get(id)?.balances.get(account) ?? 0n
  const move = (debit: AccountName, credit: AccountName, amountBase: bigint) =>
    post(book, { day, medium, debit, credit, channel: { id, peer, epoch }, amountBase })
  return { move, of }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
