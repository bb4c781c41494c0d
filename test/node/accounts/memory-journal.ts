/** A ledger's file without a disk: what a kill left of it can be read again. */
import { type Book, balancesOf, createBook, takeChanged } from '../../../node/src/accounts/book.ts'
import { dayOf } from '../../../node/src/accounts/days.ts'
import { type LedgerRecord, ledgerForm } from '../../../node/src/accounts/records.ts'

export class MemoryJournal {
  readonly book: Book
  readonly #records: Map<string, LedgerRecord>
  /** What the last writing wrote, in order. */
  #last: { key: string; before: LedgerRecord | undefined }[] = []

  constructor(records: ReadonlyMap<string, LedgerRecord> = new Map()) {
    this.#records = new Map(records)
    this.book = createBook(records.values())
  }

  dayAt(ms: number): number {
    return dayOf(ms)
  }

  async write(_day: number, { block, isClosing }: { block: number; isClosing: boolean }) {
    const { book } = this
    const number = (book.sheet?.number ?? 0) + 1
    const sheet = { number, block, isClosing, balances: balancesOf(book) }
    const written = [...takeChanged(book).map((entry) => ({ entry })), { sheet }]
    this.#last = written.map((record) => {
      const key = ledgerForm.keyOf(record)
      const before = this.#records.get(key)
      this.#records.set(key, readAgain(record))
      return { key, before }
    })
    book.sheet = sheet
  }

  /** The ledger as another process finds it, without the last so many records that were written. */
  reopen(torn = 0): MemoryJournal {
    const left = new Map(this.#records)
    for (const { key, before } of this.#last.slice(Math.max(0, this.#last.length - torn))) {
      if (before) left.set(key, before)
      else left.delete(key)
    }
    return new MemoryJournal(left)
  }

  get lastWritten(): number {
    return this.#last.length
  }
}

function readAgain(record: LedgerRecord): LedgerRecord {
  const again = ledgerForm.decode(ledgerForm.encode(record))
  if (!again) throw new TypeError('the record cannot be read again')
  return again
}
