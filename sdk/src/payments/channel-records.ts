/** What a client remembers of its channels: the signed amounts, which must never be forgotten. */
import type { Deployment, Hex } from '@mainframe/protocol'
import { hex, maybe, money, object, optional, whole } from '../readers.ts'
import type { Store } from '../store/store.ts'
import { readJson, writeJson } from '../store/values.ts'

/** A channel that this client opened or used. */
export interface ChannelRecord {
  channelId: Hex
  nodeId: Hex
  payee: Hex
  /** MFT if there is none: it was not written down in the beginning. */
  token?: Hex | undefined
  signer: Hex
  noticeSeconds: number
  epoch: number
  /** The largest amount ever signed in this epoch, base units. */
  signedBase: bigint
  /** The last day on which something was signed, counted from the Unix epoch, and how much on that day. */
  day?: number
  dayBase?: bigint
}

/** MFT as channels name it: whoever gives a deployment may write its addresses with capitals. */
export function mftOf({ token }: Pick<Deployment, 'token'>): Hex {
  return token.toLowerCase() as Hex
}

/** The token of a channel, in lower case. */
export function tokenOf({ token }: ChannelRecord, deployment: Pick<Deployment, 'token'>): Hex {
  return token ?? mftOf(deployment)
}

const PREFIX = 'channel.'

const read = object({
  channelId: hex(32),
  nodeId: hex(32),
  payee: hex(20),
  token: optional(hex(20)),
  signer: hex(20),
  noticeSeconds: whole,
  epoch: whole,
  signedBase: money,
  day: optional(whole),
  dayBase: optional(money),
})

const parse = maybe<ChannelRecord>((value, path) => {
  const { signedBase, day, dayBase, ...record } = read(value, path)
  const signed = { ...record, signedBase: BigInt(signedBase) }
  if (day === undefined || dayBase === undefined) return signed
  return { ...signed, day, dayBase: BigInt(dayBase) }
})

/** All channels in the store. Throws `STORE_CORRUPT`. */
export async function readChannels(store: Store): Promise<ChannelRecord[]> {
  const keys = await store.list(PREFIX)
  const records = await Promise.all(keys.map((key) => readJson(store, key, parse)))
  return records.filter((record) => record !== undefined)
}

/** Durable when it resolves. */
export async function writeChannel(store: Store, record: ChannelRecord): Promise<void> {
  const key = `${PREFIX}${record.channelId.slice(2)}`
  const { signedBase, dayBase } = record
  await writeJson(store, key, {
    ...record,
    signedBase: signedBase.toString(),
    dayBase: dayBase?.toString(),
  })
}

/** The record after more was signed on a day. */
export function signedOn(record: ChannelRecord, day: number, signedBase: bigint): ChannelRecord {
  const before = record.day === day ? (record.dayBase ?? 0n) : 0n
  const more = signedBase > record.signedBase ? signedBase - record.signedBase : 0n
  return { ...record, signedBase, day, dayBase: before + more }
}
