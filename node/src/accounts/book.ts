/** The ledger in memory: totals of entries, and the balances that follow from them. */
import type { Hex } from '@mainframe/protocol'
import { type AccountName, debitSign, PLACES, SOURCES } from './chart.ts'
import { CARRIED, type Entry, entryKey, type LedgerRecord, type Sheet } from './records.ts'

/** What the ledger says of one channel; a balance is raised by debits in places, by credits in sources. */
export interface ChannelBalances {
  readonly id: Hex
  readonly peer: Hex
  readonly medium: Hex
  /** The newest epoch that an entry is about. */
  epoch: number
  readonly balances: Map<AccountName, bigint>
}

/** Change it by {@link post} only. */
export interface Book {
  /** By key. */
  readonly entries: Map<string, Entry>
  readonly channels: Map<Hex, ChannelBalances>
  /** By medium. */
  readonly balances: Map<Hex, Map<AccountName, bigint>>
  /** The last that was written. */
  sheet: Sheet | undefined
  /** Keys of entries that changed since the last {@link takeChanged}. */
  readonly changed: Set<string>
}

/** An amount to move; below zero it is moved the other way. */
export interface Posting extends Omit<Entry, 'amountBase'> {
  amountBase: bigint
}

export function createBook(records: Iterable<LedgerRecord> = []): Book {
  const book: Book = {
    entries: new Map(),
    channels: new Map(),
    balances: new Map(),
    sheet: undefined,
    changed: new Set(),
  }
  for (const record of records) {
    if ('sheet' in record) book.sheet = record.sheet
    else {
      book.entries.set(entryKey(record.entry), record.entry)
      addToBalances(book, record.entry)
    }
  }
  return book
}

/** Moves an amount from the credited account to the debited one. */
export function post(book: Book, posting: Posting): void {
  const { amountBase } = posting
  if (amountBase === 0n) return
  const entry =
    amountBase > 0n
      ? posting
      : {
          ...posting,
          debit: posting.credit,
          credit: posting.debit,
          amountBase: -amountBase,
        }
  const key = entryKey(entry)
  const before = book.entries.get(key)?.amountBase ?? 0n
  book.entries.set(key, { ...entry, amountBase: before + entry.amountBase })
  book.changed.add(key)
  addToBalances(book, entry)
}

/** The balance of an account over all channels. */
export function balanceOf({ balances }: Book, medium: Hex, account: AccountName): bigint {
  return balances.get(medium)?.get(account) ?? 0n
}

/** Every balance that is not zero, in the order of the chart. */
export function balancesOf({ balances }: Book): Sheet['balances'][number][] {
  return [...balances].flatMap(([medium, ofMedium]) =>
    [...PLACES, ...SOURCES].flatMap((account) => {
      const base = ofMedium.get(account) ?? 0n
      return base === 0n ? [] : [{ medium, account, base }]
    }),
  )
}

/** What changed since the last time, to be written down. */
export function takeChanged({ entries, changed }: Book): Entry[] {
  const taken = [...changed].flatMap((key) => entries.get(key) ?? [])
  changed.clear()
  return taken
}

/** Sums up all entries of days before the given one, as a new file begins. */
export function carryForward(book: Book, day: number): void {
  const old = [...book.entries.values()].filter((entry) => entry.day < day)
  for (const entry of old) book.entries.delete(entryKey(entry))
  for (const entry of old) {
    const carried = { ...entry, day: CARRIED }
    const sum = book.entries.get(entryKey(carried))
    const epoch = Math.max(entry.channel?.epoch ?? 0, sum?.channel?.epoch ?? 0)
    book.entries.set(entryKey(carried), {
      ...carried,
      channel: entry.channel && { ...entry.channel, epoch },
      amountBase: entry.amountBase + (sum?.amountBase ?? 0n),
    })
  }
}

function addToBalances(book: Book, entry: Entry): void {
  const { medium, channel, debit, credit, amountBase } = entry
  const ofMedium = book.balances.get(medium) ?? new Map<AccountName, bigint>()
  book.balances.set(medium, ofMedium)
  move(ofMedium, { debit, credit, amountBase })
  if (!channel) return
  const { id, peer, epoch } = channel
  const known = book.channels.get(id) ?? { id, peer, medium, epoch, balances: new Map() }
  book.channels.set(id, known)
  known.epoch = Math.max(known.epoch, epoch)
  move(known.balances, { debit, credit, amountBase })
}

function move(
  balances: Map<AccountName, bigint>,
  { debit, credit, amountBase }: Pick<Entry, 'debit' | 'credit' | 'amountBase'>,
): void {
  const add = (name: AccountName, base: bigint) =>
    balances.set(name, (balances.get(name) ?? 0n) + debitSign(name) * base)
  add(debit, amountBase)
  add(credit, -amountBase)
}
