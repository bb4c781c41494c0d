import type { ApiChannel, ApiMeta, ChannelRow, Hex } from '@mainframe/protocol'
import { bytea, type Queryable } from '../db/database.ts'
import { CHANNEL_TABLE, columnsOf } from '../db/tables.ts'
import { channelAnswer } from './answers.ts'
import { readOfBlock } from './meta.ts'

/** One channel, and the state of the chain that it is of. */
export async function findChannel(
  db: Queryable,
  id: Hex,
): Promise<{ meta: ApiMeta; channel: ApiChannel | undefined }> {
  const { meta, rows } = await readOfBlock<ChannelRow>(
    db,
    `SELECT ${columnsOf(CHANNEL_TABLE)} FROM channel WHERE channel_id = $2::bytea`,
    [bytea(id)],
  )
  return { meta, channel: rows[0] && channelAnswer(rows[0]) }
}

/** Which page of an account's channels. */
export interface ChannelQuery {
  account: Hex
  limit: number
  /** Channel id after which the page begins. */
  after: Hex | undefined
}

/** Channels that an account pays by or is paid by, by channel id, and the state of the chain. */
export async function listChannels(
  db: Queryable,
  { account, limit, after }: ChannelQuery,
): Promise<{ meta: ApiMeta; channels: ApiChannel[]; next: Hex | null }> {
  const side = (column: string) => `(SELECT * FROM channel WHERE ${column} = $2::bytea
    AND channel_id > $3::bytea ORDER BY channel_id LIMIT $4::integer)`
  // UNION, not UNION ALL: an account may pay itself
  const { meta, rows } = await readOfBlock<ChannelRow>(
    db,
    `SELECT ${columnsOf(CHANNEL_TABLE)} FROM (${side('payer')} UNION ${side('payee')}) AS channel
     ORDER BY channel_id LIMIT $4::integer`,
    [bytea(account), after === undefined ? '' : bytea(after), limit + 1],
  )
  const page = rows.slice(0, limit)
  const next = rows.length > limit ? (page.at(-1)?.channelId ?? null) : null
  return { meta, channels: page.map(channelAnswer), next }
}
