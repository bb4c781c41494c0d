/** From checked events to the rows of node, price and channel, inside a transaction. */
import type { ChannelRow, Deployment, Hex } from '@mainframe/protocol'
import type { Queryable } from '../db/database.ts'
import {
  bytesIn,
  bytesList,
  CHANNEL_TABLE,
  columnsOf,
  NODE_TABLE,
  PRICE_TABLE,
  SEED_TABLE,
  type StoredNode,
  type StoredSeed,
  upsertRows,
} from '../db/tables.ts'
import {
  type BaseRows,
  type ChangedRows,
  type DerivedEvents,
  isChannelEvent,
  isRegistryEvent,
  reduceBatch,
} from './batch.ts'

/** What is applied, to the rows as they stand. */
export interface Application {
  batch: DerivedEvents
  deployment: Deployment
  /** The block that an undo is written for; left out for final blocks. */
  journal: number | undefined
}

/** Applies events in order to the rows as they stand. Returns those that change. */
export async function reduceEvents(
  tx: Queryable,
  { batch, deployment }: Omit<Application, 'journal'>,
): Promise<ChangedRows> {
  return reduceBatch(await readBaseRows(tx, batch), batch, deployment)
}

/** Writes rows that changed, by statements that are sent together. */
export async function writeChanged(
  tx: Queryable,
  changed: ChangedRows,
  journal: Application['journal'],
): Promise<void> {
  await Promise.all([
    // holds until the end of the transaction; final blocks never come after others in one
    journal !== undefined && setJournal(tx, String(journal)),
    upsertRows(tx, NODE_TABLE, changed.nodes),
    upsertRows(tx, PRICE_TABLE, changed.prices),
    upsertRows(tx, CHANNEL_TABLE, changed.channels),
  ])
}

export async function applyEvents(tx: Queryable, application: Application): Promise<void> {
  await writeChanged(tx, await reduceEvents(tx, application), application.journal)
}

/** Keeps the block hashes that overlay addresses were drawn from. */
export async function keepSeeds(tx: Queryable, nodes: readonly StoredNode[]): Promise<void> {
  const seeds = new Map<number, StoredSeed>()
  for (const { registeredBlock, seedBlockHash } of nodes) {
    if (seedBlockHash === null) continue
    seeds.set(registeredBlock, { number: registeredBlock + 1, hash: seedBlockHash })
  }
  await upsertRows(tx, SEED_TABLE, [...seeds.values()])
}

/** The rows that events build on, but for those that are known without the database. */
export async function readBaseRows(
  tx: Queryable,
  { events }: DerivedEvents,
  isKnown: (id: Hex) => boolean = () => false,
): Promise<BaseRows> {
  const nodeIds = new Set<Hex>()
  const channelIds = new Set<Hex>()
  for (const event of events) {
    if (isRegistryEvent(event) && !isKnown(event.nodeId)) nodeIds.add(event.nodeId)
    if (isChannelEvent(event) && !isKnown(event.channelId)) channelIds.add(event.channelId)
  }
  const [unplaced, named, channels] = await Promise.all([
    tx.query<StoredNode>(
      `SELECT ${columnsOf(NODE_TABLE)} FROM node WHERE overlay_address IS NULL`,
      [],
    ),
    rowsOf<StoredNode>(tx, NODE_TABLE, nodeIds),
    rowsOf<ChannelRow>(tx, CHANNEL_TABLE, channelIds),
  ])
  return { nodes: [...unplaced, ...named], channels }
}

/** Rows by a key of one column. */
async function rowsOf<R extends object>(
  tx: Queryable,
  table: typeof NODE_TABLE | typeof CHANNEL_TABLE,
  ids: ReadonlySet<Hex>,
): Promise<R[]> {
  if (ids.size === 0) return []
  const key = table === NODE_TABLE ? 'node_id' : 'channel_id'
  const columns = table === NODE_TABLE ? columnsOf(NODE_TABLE) : columnsOf(CHANNEL_TABLE)
  return tx.query<R>(`SELECT ${columns} FROM ${table.name} WHERE ${key} IN ${bytesIn(1)}`, [
    bytesList(ids),
  ])
}

async function setJournal(tx: Queryable, block: string): Promise<void> {
  await tx.query(`SELECT set_config('mainframe.block', $1::text, true)`, [block])
}
