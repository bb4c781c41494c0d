/** What the indexer asks of a database, the same for PGlite and PostgreSQL. */
import type { Hex } from '@mainframe/protocol'

/** Parameters travel as text, and bytes go through {@link bytea}; those in a buffer are in binary form. */
export type SqlValue = string | number | boolean | null | Buffer

/** A transaction, or a database that runs each statement by itself. */
export interface Queryable {
  /**
   * Rows of a statement. Without parameters `sql` may be a script; the last statement answers. In a
   * transaction further ones may be asked before the first has answered: they run in the order of the
   * calls, and none after one that failed has an effect.
   */
  query<R extends object>(sql: string, params?: readonly SqlValue[]): Promise<R[]>
}

/**
 * A database with one writer. `query` reads a few rows by an index, in one round trip: a statement
 * alone is a snapshot too. `read` sees one snapshot for all its queries, and may take its time;
 * `write` commits all or nothing, one at a time. All reject with `STORE_UNREACHABLE` when the server
 * is away.
 */
export interface Database extends Queryable {
  read<T>(work: (tx: Queryable) => Promise<T>): Promise<T>
  write<T>(work: (tx: Queryable) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Bytes as PostgreSQL reads them. */
export function bytea(hex: Hex): string {
  return `\\x${hex.slice(2)}`
}

/**
 * Parsers of column values by type oid, for both engines: bytea to 0x-hex, int8 to number (every
 * int8 column here stays below 2^53), numeric to bigint (every numeric column here is whole).
 */
export const COLUMN_PARSERS: Record<number, (text: string) => unknown> = {
  16: (text) => text === 't',
  17: (text) => `0x${text.slice(2)}`,
  20: Number,
  21: Number,
  23: Number,
  114: (text) => JSON.parse(text),
  1700: BigInt,
  3802: (text) => JSON.parse(text),
}
