/** From checked events to the rows of node, price and channel, inside a transaction. */
import type { Deployment, Hex } from '@mainframe/protocol'
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

/** Applies events in order. Returns the rows that changed, as they are now. */
export async function applyEvents(
  tx: Queryable,
  { batch, deployment, journal }: Application,
): Promise<ChangedRows> {
  const changed = reduceBatch(await readBaseRows(tx, batch), batch, deployment)
  // holds until the end of the transaction; final blocks never come after others in one
  if (journal !== undefined) await setJournal(tx, String(journal))
  await upsertRows(tx, NODE_TABLE, changed.nodes)
  await upsertRows(tx, PRICE_TABLE, changed.prices)
  await upsertRows(tx, CHANNEL_TABLE, changed.channels)
  return changed
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

async function readBaseRows(tx: Queryable, batch: DerivedEvents): Promise<BaseRows> {
  const nodeIds = new Set(batch.events.filter(isRegistryEvent).map((event) => event.nodeId))
  const channelIds = new Set(batch.events.filter(isChannelEvent).map((event) => event.channelId))
  const unplaced = await tx.query<StoredNode>(
    `SELECT ${columnsOf(NODE_TABLE)} FROM node WHERE overlay_address IS NULL`,
    [],
  )
  const named = await rowsOf<StoredNode>(tx, NODE_TABLE, nodeIds)
  return {
    nodes: [...unplaced, ...named],
    channels: await rowsOf(tx, CHANNEL_TABLE, channelIds),
  }
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
