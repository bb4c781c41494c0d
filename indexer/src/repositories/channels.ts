import type { ApiChannel, ChannelRow, Hex } from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import { CHANNEL_TABLE, columnsOf } from '../db/tables.ts'
import { channelAnswer } from './answers.ts'

export async function findChannel(tx: Queryable, id: Hex): Promise<ApiChannel | undefined> {
  const [row] = await tx.query<ChannelRow>(
    `SELECT ${columnsOf(CHANNEL_TABLE)} FROM channel WHERE channel_id = $1::bytea`,
    [bytea(id)],
  )
  return row && channelAnswer(row)
}

/** Which page of an account's channels. */
export interface ChannelQuery {
  account: Hex
  limit: number
  /** Channel id after which the page begins. */
  after: Hex | undefined
}

/** Channels that an account pays by or is paid by, by channel id. */
export async function listChannels(
  tx: Queryable,
  { account, limit, after }: ChannelQuery,
): Promise<{ channels: ApiChannel[]; next: Hex | null }> {
  const side = (column: string) => `(SELECT * FROM channel WHERE ${column} = $1::bytea
    AND channel_id > $2::bytea ORDER BY channel_id LIMIT $3::integer)`
  // UNION, not UNION ALL: an account may pay itself
  const rows = await tx.query<ChannelRow>(
    `SELECT ${columnsOf(CHANNEL_TABLE)} FROM (${side('payer')} UNION ${side('payee')}) AS channel
     ORDER BY channel_id LIMIT $3::integer`,
    [bytea(account), after === undefined ? '' : bytea(after), limit + 1],
  )
  const page = rows.slice(0, limit)
  const next = rows.length > limit ? (page.at(-1)?.channelId ?? null) : null
  return { channels: page.map(channelAnswer), next }
}
