/** What this relay has signed away: the greatest amount of each of its outgoing channels, durable. */
import {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  fromHex,
  type Hex,
  toHex,
  viewOf,
} from '@mainframe/protocol'
import { LatestLog, type LatestLogForm } from '../storage/latest-log.ts'

/** The greatest amount signed in an epoch of a channel. */
export interface SignedAmount {
  channelId: Hex
  epoch: number
  /** Base units. */
  amount: bigint
}

/** By channel id. */
export type SignedLog = LatestLog<SignedAmount>

const ID_BYTES = 32
const EPOCH_BYTES = 4
const AMOUNT_BYTES = 12
const RECORD_BYTES = ID_BYTES + EPOCH_BYTES + AMOUNT_BYTES

/** Record: channel id 32, epoch u32, amount 12. */
const signedForm: LatestLogForm<SignedAmount> = {
  maxRecordBytes: RECORD_BYTES,
  encode: ({ channelId, epoch, amount }) => {
    const epochBytes = new Uint8Array(EPOCH_BYTES)
    viewOf(epochBytes).setUint32(0, epoch)
    return concatBytes(fromHex(channelId), epochBytes, bigintToBytes(amount, AMOUNT_BYTES))
  },
  decode: (record) => {
    if (record.length !== RECORD_BYTES) return undefined
    return {
      channelId: toHex(record.subarray(0, ID_BYTES)),
      epoch: viewOf(record).getUint32(ID_BYTES),
      amount: bytesToBigint(record.subarray(ID_BYTES + EPOCH_BYTES)),
    }
  },
  keyOf: ({ channelId }) => channelId,
  supersedes: (next, previous) =>
    next.epoch > previous.epoch || (next.epoch === previous.epoch && next.amount > previous.amount),
}

/** Errors as `AppendLog.open`. */
export async function openSignedLog(path: string): Promise<SignedLog> {
  return await LatestLog.open(path, signedForm)
}
