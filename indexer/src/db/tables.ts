/** Tables whose rows are the reducers' rows: columns by property, in snake case. */
import type { ChannelRow, Hex, NodeRow, PriceRow } from '@mainframe/protocol'
import { bytesArray } from './bytes-array.ts'
import type { Queryable, SqlValue } from './database.ts'

type SqlType = 'bytea' | 'bigint' | 'integer' | 'numeric' | 'boolean' | 'text'

export interface Table<R> {
  name: string
  key: readonly (keyof R & string)[]
  columns: { [K in keyof R & string]: SqlType }
}

/** A node as stored: what the chain said, and what follows from the signature and a later block. */
export interface StoredNode extends NodeRow {
  signed: boolean
  seedBlockHash: Hex | null
  overlayAddress: Hex | null
}

/** A log as stored; `seq` and `head` where its contract has a verifiable log. */
export interface StoredLog {
  blockNumber: number
  logIndex: number
  blockHash: Hex
  transactionHash: Hex
  address: Hex
  topics: Hex
  data: Hex
  seq: number | null
  head: Hex | null
}

/** The hash of a block that follows a registration. */
export interface StoredSeed {
  number: number
  hash: Hex
}

export const NODE_TABLE: Table<StoredNode> = {
  name: 'node',
  key: ['nodeId'],
  columns: {
    nodeId: 'bytea',
    operator: 'bytea',
    nodeKey: 'bytea',
    manager: 'bytea',
    payee: 'bytea',
    sealKey: 'bytea',
    multiaddrs: 'bytea',
    metadata: 'bytea',
    signature: 'bytea',
    stake: 'numeric',
    active: 'boolean',
    unlockAt: 'bigint',
    registeredBlock: 'bigint',
    updatedBlock: 'bigint',
    signed: 'boolean',
    seedBlockHash: 'bytea',
    overlayAddress: 'bytea',
  },
}

export const PRICE_TABLE: Table<PriceRow> = {
  name: 'price',
  key: ['nodeId', 'service', 'token'],
  columns: {
    nodeId: 'bytea',
    service: 'bytea',
    token: 'bytea',
    price: 'numeric',
    next: 'numeric',
    nextFrom: 'bigint',
    unit: 'integer',
    active: 'boolean',
    updatedBlock: 'bigint',
  },
}

export const CHANNEL_TABLE: Table<ChannelRow> = {
  name: 'channel',
  key: ['channelId'],
  columns: {
    channelId: 'bytea',
    payer: 'bytea',
    payee: 'bytea',
    token: 'bytea',
    signer: 'bytea',
    noticeSeconds: 'bigint',
    epoch: 'bigint',
    deposit: 'numeric',
    claimed: 'numeric',
    closesAt: 'bigint',
    state: 'text',
    updatedBlock: 'bigint',
  },
}

export const LOG_TABLE: Table<StoredLog> = {
  name: 'event_log',
  key: ['blockNumber', 'logIndex'],
  columns: {
    blockNumber: 'bigint',
    logIndex: 'integer',
    blockHash: 'bytea',
    transactionHash: 'bytea',
    address: 'bytea',
    topics: 'bytea',
    data: 'bytea',
    seq: 'bigint',
    head: 'bytea',
  },
}

export const SEED_TABLE: Table<StoredSeed> = {
  name: 'block_seed',
  key: ['number'],
  columns: { number: 'bigint', hash: 'bytea' },
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The columns of `alias` under the names of the row's properties, for a SELECT. */
export function columnsOf<R>(table: Table<R>, alias: string = table.name): string {
  return Object.keys(table.columns)
    .map((name) => `${alias}.${snakeCase(name)} AS "${name}"`)
    .join(', ')
}

/** Inserts or replaces rows, in one statement whatever their number. No key may come twice. */
export async function upsertRows<R extends object>(
  tx: Queryable,
  table: Table<R>,
  rows: readonly R[],
): Promise<void> {
  const names = Object.keys(table.columns).map(snakeCase)
  const onConflict = `ON CONFLICT (${table.key.map(snakeCase).join(', ')})
    DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`
  await insertRows(tx, table, rows, onConflict)
}

/**
 * Inserts rows that are not there yet, in one statement whatever their number. A column is one array:
 * half the work of a JSON record for each row, in either engine.
 */
export async function insertRows<R extends object>(
  tx: Queryable,
  table: Table<R>,
  rows: readonly R[],
  onConflict = '',
): Promise<void> {
  if (rows.length === 0) return
  const columns = Object.entries<SqlType>(table.columns)
  const names = columns.map(([name]) => snakeCase(name))
  const arrays = columns.map(([, type], i) => `$${i + 1}::${type}[]`)
  await tx.query(
    `INSERT INTO ${table.name} (${names.join(', ')})
     SELECT * FROM unnest(${arrays.join(', ')}) ${onConflict}`,
    columns.map(([name, type]) => arrayOf(rows as readonly Record<string, unknown>[], name, type)),
  )
}

/** One column; text is of the protocol's own words, so there is nothing to escape. */
function arrayOf(rows: readonly Record<string, unknown>[], name: string, type: SqlType): SqlValue {
  const values = rows.map(({ [name]: value }) => value)
  if (type === 'bytea') return bytesArray(values as (Hex | null)[])
  return `{${values.map((value) => (value === null ? 'NULL' : String(value))).join(',')}}`
}

/** A list of byte strings as one parameter; read it with {@link bytesIn}. */
export function bytesList(values: Iterable<Hex>): SqlValue {
  return bytesArray([...values])
}

/** SQL for the set of byte strings in parameter `$n`. */
export function bytesIn(n: number): string {
  return `(SELECT unnest($${n}::bytea[]))`
}

/** SQL for the price in force of a row of `price` at the time that `now` is SQL for. */
export function currentPriceAt(now: string): string {
  return `current_price(price.active, price.price, price.next, price.next_from, ${now}::bigint)`
}
