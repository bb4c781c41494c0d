/**
 * The ledger on disk: one file a month, which begins with the sums of all before it. So memory and
 * start take what a month takes, and the newest file alone holds every balance.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { diskFailure, isErrno } from '../storage/durable-file.ts'
import { type LatestCopy, LatestLog, readLatest } from '../storage/latest-log.ts'
import { type Book, balancesOf, carryForward, createBook, takeChanged } from './book.ts'
import { dayOf, firstDayOf, monthOf } from './days.ts'
import { type Entry, type LedgerRecord, ledgerForm } from './records.ts'

const FILE = /^(\d{4}-\d{2})\.log$/

export class Journal {
  /** What is posted here is on disk after {@link write}. */
  readonly book: Book
  readonly folder: string
  #month: string | undefined
  #log: LatestLog<LedgerRecord> | undefined

  private constructor(folder: string, month?: string, log?: LatestLog<LedgerRecord>) {
    this.folder = folder
    this.#month = month
    this.#log = log
    this.book = createBook(log?.entries.values())
  }

  /** Opens or creates the ledger of a folder. Errors as `LatestLog.open`. */
  static async open(folder: string): Promise<Journal> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const month = (await months(folder)).at(-1)
    if (month === undefined) return new Journal(folder)
    return new Journal(folder, month, await LatestLog.open(pathOf(folder, month), ledgerForm))
  }

  /** The day to post under: no earlier one than the newest file is about, if the clock was set back. */
  dayAt(ms: number): number {
    const day = dayOf(ms)
    return this.#month === undefined ? day : Math.max(day, firstDayOf(this.#month))
  }

  /**
   * Resolves when everything posted is durable, with a sheet of the balances behind it. A kill leaves
   * some of the entries, all, or all and the sheet. Errors as `LatestLog.put`.
   */
  async write(day: number, { block, isClosing }: { block: number; isClosing: boolean }) {
    const { book } = this
    const number = (book.sheet?.number ?? 0) + 1
    const sheet = { number, block, isClosing, balances: balancesOf(book) }
    if (this.#log === undefined || monthOf(day) > (this.#month ?? '')) {
      await this.#begin(monthOf(day), { sheet })
    } else {
      const log = this.#log
      const records = [...takeChanged(book).map((entry) => ({ entry })), { sheet }]
      await Promise.all(records.map((record) => log.put(record)))
    }
    book.sheet = sheet
  }

  async close(): Promise<void> {
    await this.#log?.close()
  }

  /** A new month's file holds all there is from its first moment, or is not there. */
  async #begin(month: string, sheet: LedgerRecord): Promise<void> {
    const { book, folder } = this
    takeChanged(book)
    carryForward(book, firstDayOf(month))
    const records = [...[...book.entries.values()].map((entry) => ({ entry })), sheet]
    const log = await LatestLog.create(pathOf(folder, month), ledgerForm, records)
    await this.#log?.close()
    this.#log = log
    this.#month = month
  }
}

/** The newest file of a ledger: every balance. It is left as it is. Errors as `readLatest`. */
export async function readNewest(folder: string): Promise<LatestCopy<LedgerRecord>> {
  const month = (await months(folder)).at(-1)
  return month === undefined
    ? { entries: new Map(), damage: undefined, cutBytes: 0, isMissing: true }
    : await readLatest(pathOf(folder, month), ledgerForm)
}

/**
 * The entries of some days, the first and the last included, from all files. Throws `STORE_CORRUPT`
 * for a file that is damaged, and as `readLatest`.
 */
export async function readDays(
  folder: string,
  { from, to }: { from: number; to: number },
): Promise<Entry[]> {
  const found: Entry[] = []
  for (const month of await months(folder)) {
    if (month < monthOf(from) || month > monthOf(to)) continue
    const { entries, damage } = await readLatest(pathOf(folder, month), ledgerForm)
    if (damage) throw damage
    for (const record of entries.values()) {
      if (!('entry' in record)) continue
      const { entry } = record
      if (entry.day >= from && entry.day <= to) found.push(entry)
    }
  }
  return found
}

function pathOf(folder: string, month: string): string {
  return join(folder, `${month}.log`)
}

/** In order; none where there is no ledger. */
async function months(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) return []
    throw diskFailure(folder, cause)
  })
  return names.flatMap((name) => FILE.exec(name)?.[1] ?? []).sort()
}
