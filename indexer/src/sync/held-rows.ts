import type { ChannelRow, Hex, PriceRow } from '@mainframe/protocol'
import type { StoredNode } from '../db/tables.ts'
import {
  type BaseRows,
  type ChangedRows,
  type DerivedEvents,
  isChannelEvent,
  isRegistryEvent,
  priceKey,
} from './batch.ts'

/**
 * Rows that changed and are not in the database yet: the next events are likely to change them again.
 * Those that are leaving still count as held, since what is read meanwhile may be older than they are.
 */
export class HeldRows {
  readonly #nodes = new Map<Hex, StoredNode>()
  readonly #prices = new Map<string, PriceRow>()
  readonly #channels = new Map<Hex, ChannelRow>()
  #leaving: ChangedRows = { nodes: [], prices: [], channels: [] }

  /** Rows to be written now. */
  get leaving(): ChangedRows {
    return this.#leaving
  }

  /** What events build on: rows as read before those that are leaving were written, and newer ones held. */
  over(read: BaseRows, { events }: DerivedEvents): BaseRows {
    const nodes = [...read.nodes, ...this.#leaving.nodes]
    const channels = [...read.channels, ...this.#leaving.channels]
    for (const event of events) {
      const channel = isChannelEvent(event) && this.#channels.get(event.channelId)
      const node = isRegistryEvent(event) && this.#nodes.get(event.nodeId)
      if (channel) channels.push(channel)
      if (node) nodes.push(node)
    }
    for (const node of this.#nodes.values()) if (node.overlayAddress === null) nodes.push(node)
    return { nodes, channels }
  }

  /** Ids that need not be read. */
  has(id: Hex): boolean {
    return this.#nodes.has(id) || this.#channels.has(id)
  }

  hold({ nodes, prices, channels }: ChangedRows): void {
    for (const row of nodes) putLast(this.#nodes, row.nodeId, row)
    for (const row of prices) putLast(this.#prices, priceKey(row), row)
    for (const row of channels) putLast(this.#channels, row.channelId, row)
  }

  /** Lets go, instead of those that were leaving, what changed longest ago of each table beyond `limit` rows. */
  letGo(limit: number): void {
    this.#leaving = {
      nodes: takeFirst(this.#nodes, limit),
      prices: takeFirst(this.#prices, limit),
      channels: takeFirst(this.#channels, limit),
    }
  }
}

function putLast<K, R>(rows: Map<K, R>, key: K, row: R): void {
  rows.delete(key)
  rows.set(key, row)
}

function takeFirst<K, R>(rows: Map<K, R>, limit: number): R[] {
  const taken: R[] = []
  for (const [key, row] of rows) {
    if (rows.size <= limit) break
    rows.delete(key)
    taken.push(row)
  }
  return taken
}
