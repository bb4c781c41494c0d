/**
 * The accounts of a relay's ledger. A base unit is in exactly one place and came from exactly one
 * source, so that for each medium of exchange all places together are all sources together.
 */
import type { Hex } from '@mainframe/protocol'

/** The chain's coin as a medium, beside tokens. */
export const COIN: Hex = `0x${'00'.repeat(20)}`

/** Where base units are, or where they went: what is entered as a debit raises these. */
export const PLACES = [
  /** In the wallet of the hot account. */
  'wallet',
  /** In its vault of the channels contract. */
  'vault',
  /** The node's stake. */
  'stake',
  /** Promised by vouchers of payers, and not claimed yet. */
  'vouchers',
  /** In channels to others and not signed away: comes back when they close. */
  'unsigned',
  /** In channels to others, signed away, and not claimed by them yet. */
  'signed',
  /** Claimed by others from our channels. */
  'paid',
  /** Gone to other accounts: a cold one, usually. */
  'withdrawn',
  /** Earned, and not claimed before its channel closed. */
  'lost',
  /** Paid for transactions, in the chain's coin. */
  'gas',
  /** Coin that left without a receipt seen: for transactions of a run that was killed, or sent away. */
  'unseen',
] as const

/** What packets were charged for; these four add up to all that was debited. */
export const CHARGED_SERVICES = [
  /** The route fee, of duplicates too. */
  'route',
  /** Holding until expiry. */
  'hold',
  /** What is to be passed on with the packet or its copies: it pays our own channels. */
  'onward',
  /** What was left: rounding, and postage for which there was no one to pay. */
  'surplus',
] as const
export type ChargedService = (typeof CHARGED_SERVICES)[number]

export const SERVICES = [
  ...CHARGED_SERVICES,
  /** Prepaid and never spent: the channel closed, or the relay was stopped meanwhile. */
  'retired',
  /** Spent or retired about when the relay was killed: nobody knows for which service. */
  'unattributed',
] as const
export type Service = (typeof SERVICES)[number]

/** Where base units came from: what is entered as a credit raises these. */
export const SOURCES = [
  /** From outside: funding, stake. */
  'brought',
  /** Prepaid by vouchers and not spent yet: owed to the payers, as service. */
  'advances',
  ...SERVICES,
] as const

export type AccountName = (typeof PLACES)[number] | (typeof SOURCES)[number]

/** Numbers of the accounts in files: none may ever change. */
const CODES: Readonly<Record<AccountName, number>> = {
  wallet: 1,
  vault: 2,
  stake: 3,
  vouchers: 4,
  unsigned: 5,
  signed: 6,
  paid: 7,
  withdrawn: 8,
  lost: 9,
  gas: 10,
  unseen: 11,
  brought: 65,
  advances: 66,
  route: 67,
  hold: 68,
  onward: 69,
  surplus: 70,
  retired: 71,
  unattributed: 72,
}
const NAMES = new Map(Object.entries(CODES).map(([name, code]) => [code, name as AccountName]))
const places: ReadonlySet<AccountName> = new Set(PLACES)

export function accountCode(name: AccountName): number {
  return CODES[name]
}

/** The account of a code; `undefined` for a code of no account. */
export function accountOfCode(code: number): AccountName | undefined {
  return NAMES.get(code)
}

/** 1 where a debit raises the balance, -1 where a credit does. */
export function debitSign(name: AccountName): 1n | -1n {
  return places.has(name) ? 1n : -1n
}
