/** What a watchtower keeps: the newest voucher of each channel, and the gas that it spent. Durable. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  bigintToBytes,
  bytesToBigint,
  fromHex,
  type Hex,
  MainframeError,
  toHex,
} from '@mainframe/protocol'
import type { StoredVoucher } from '../payments/voucher-log.ts'
import { diskFailure } from '../storage/durable-file.ts'

/** A voucher that is held for somebody else. */
export interface TowerVoucher extends StoredVoucher {
  payee: Hex
}

const FILE = 'watchtower.sqlite'
const AMOUNT_BYTES = 12
/** SQLite's result codes for a file that is damaged, or no database at all. */
const DAMAGED = [11, 26]

const SCHEMA = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS vouchers (
  channel BLOB PRIMARY KEY, payee BLOB NOT NULL, payer BLOB NOT NULL, signer BLOB NOT NULL,
  notice INTEGER NOT NULL, epoch INTEGER NOT NULL, amount BLOB NOT NULL, signature BLOB NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS gas (
  id INTEGER PRIMARY KEY AUTOINCREMENT, payee BLOB NOT NULL, atMs INTEGER NOT NULL, gas INTEGER NOT NULL
) STRICT;
`

/** A database with all of it in memory as well: there are many looks for each change. */
export class TowerStore {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #entries = new Map<Hex, TowerVoucher>()
  readonly #perPayee = new Map<Hex, number>()

  /** Opens or creates the store of a folder. Throws `STORE_CORRUPT` or `STORE_FAILED`. */
  constructor(folder: string) {
    this.#path = join(folder, FILE)
    this.#database = this.#try(() => new DatabaseSync(this.#path))
    this.#try(() => {
      this.#database.exec(SCHEMA)
      for (const row of this.#database.prepare('SELECT * FROM vouchers').iterate()) {
        this.#keep(voucherOf(row))
      }
    })
  }

  /** By channel id. */
  get entries(): ReadonlyMap<Hex, TowerVoucher> {
    return this.#entries
  }

  countOf(payee: Hex): number {
    return this.#perPayee.get(payee) ?? 0
  }

  /** Makes vouchers durable, all or none; each takes the place of an earlier one of its channel. */
  put(vouchers: readonly TowerVoucher[]): void {
    if (vouchers.length === 0) return
    const sql = 'INSERT OR REPLACE INTO vouchers VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
    this.#inOne(() => {
      const insert = this.#database.prepare(sql)
      for (const voucher of vouchers) insert.run(...rowOf(voucher))
    })
    for (const voucher of vouchers) this.#keep(voucher)
  }

  /** Gives up what can never be claimed any more. */
  remove(channelIds: readonly Hex[]): void {
    if (channelIds.length === 0) return
    this.#inOne(() => {
      const remove = this.#database.prepare('DELETE FROM vouchers WHERE channel = ?')
      for (const id of channelIds) remove.run(fromHex(id))
    })
    for (const id of channelIds) this.#forget(id)
  }

  /** Gas that was spent, or may have been, from a time on (Unix milliseconds): for one payee, or for all. */
  gasSince(sinceMs: number, payee?: Hex): bigint {
    const sum = 'SELECT COALESCE(SUM(gas), 0) AS gas FROM gas WHERE atMs >= ?'
    const row = this.#try(() =>
      payee === undefined
        ? this.#database.prepare(sum).get(sinceMs)
        : this.#database.prepare(`${sum} AND payee = ?`).get(sinceMs, fromHex(payee)),
    )
    return BigInt(String(row?.['gas']))
  }

  /** Counts gas as spent before it is; earlier than `sinceMs` is forgotten. The number to correct it by. */
  reserveGas(
    gas: bigint,
    { payee, atMs, sinceMs }: { payee: Hex; atMs: number; sinceMs: number },
  ): number {
    return this.#inOne(() => {
      this.#database.prepare('DELETE FROM gas WHERE atMs < ?').run(sinceMs)
      const insert = this.#database.prepare('INSERT INTO gas (payee, atMs, gas) VALUES (?, ?, ?)')
      return Number(insert.run(fromHex(payee), atMs, gas).lastInsertRowid)
    })
  }

  correctGas(reservation: number, gas: bigint): void {
    const sql = 'UPDATE gas SET gas = ? WHERE id = ?'
    this.#try(() => this.#database.prepare(sql).run(gas, reservation))
  }

  close(): void {
    this.#database.close()
  }

  #keep(voucher: TowerVoucher): void {
    const { channelId, payee } = voucher
    if (!this.#entries.has(channelId)) this.#perPayee.set(payee, this.countOf(payee) + 1)
    this.#entries.set(channelId, voucher)
  }

  #forget(channelId: Hex): void {
    const voucher = this.#entries.get(channelId)
    if (!voucher) return
    this.#entries.delete(channelId)
    const left = this.countOf(voucher.payee) - 1
    if (left > 0) this.#perPayee.set(voucher.payee, left)
    else this.#perPayee.delete(voucher.payee)
  }

  #inOne<T>(work: () => T): T {
    return this.#try(() => {
      this.#database.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.#database.exec('COMMIT')
        return result
      } catch (cause) {
        this.#database.exec('ROLLBACK')
        throw cause
      }
    })
  }

  #try<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      throw failure(this.#path, cause)
    }
  }
}

function rowOf(voucher: TowerVoucher) {
  const { channelId, payee, payer, signer, noticeSeconds, epoch, amount, signature } = voucher
  const accounts = [fromHex(payee), fromHex(payer), fromHex(signer)] as const
  const number = bigintToBytes(amount, AMOUNT_BYTES)
  return [fromHex(channelId), ...accounts, noticeSeconds, epoch, number, signature] as const
}

function voucherOf(row: Record<string, unknown>): TowerVoucher {
  const bytes = (name: string) => Uint8Array.from(row[name] as Uint8Array)
  return {
    channelId: toHex(bytes('channel')),
    payee: toHex(bytes('payee')),
    payer: toHex(bytes('payer')),
    signer: toHex(bytes('signer')),
    noticeSeconds: Number(row['notice']),
    epoch: Number(row['epoch']),
    amount: bytesToBigint(bytes('amount')),
    signature: bytes('signature'),
  }
}

function failure(path: string, cause: unknown): MainframeError {
  const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & 0xff : 0
  if (!DAMAGED.includes(code)) return diskFailure(path, cause)
  const message = `${path} is damaged: restore it, or move it away; payees send their vouchers again`
  return new MainframeError('STORE_CORRUPT', message, { cause, details: { path } })
}
