/** The vouchers that this relay holds: the greatest of each channel, durable (PROTOCOL.md §4). */
import {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  fromHex,
  type Hex,
  SIGNATURE_BYTES,
  toHex,
  viewOf,
} from '@mainframe/protocol'
import { LatestLog, type LatestLogForm } from '../storage/latest-log.ts'

/** A voucher that was checked, with the terms that a claim needs beside it. */
export interface StoredVoucher {
  channelId: Hex
  epoch: number
  /** Base units, cumulative within the epoch. */
  amount: bigint
  signature: Uint8Array
  payer: Hex
  signer: Hex
  noticeSeconds: number
}

/** By channel id. */
export type VoucherLog = LatestLog<StoredVoucher>

const ID_BYTES = 32
const ACCOUNT_BYTES = 20
const AMOUNT_BYTES = 12
const NUMBERS_BYTES = 8
const RECORD_BYTES = ID_BYTES + NUMBERS_BYTES + AMOUNT_BYTES + 2 * ACCOUNT_BYTES + SIGNATURE_BYTES

/** Record: channel id 32, epoch u32, notice u32, amount 12, payer 20, signer 20, signature 64. */
const voucherForm: LatestLogForm<StoredVoucher> = {
  maxRecordBytes: RECORD_BYTES,
  encode: (voucher) => {
    const numbers = new Uint8Array(NUMBERS_BYTES)
    const view = viewOf(numbers)
    view.setUint32(0, voucher.epoch)
    view.setUint32(4, voucher.noticeSeconds)
    return concatBytes(
      fromHex(voucher.channelId),
      numbers,
      bigintToBytes(voucher.amount, AMOUNT_BYTES),
      fromHex(voucher.payer),
      fromHex(voucher.signer),
      voucher.signature,
    )
  },
  decode: (record) => {
    if (record.length !== RECORD_BYTES) return undefined
    let offset = 0
    const take = (length: number) => {
      offset += length
      return record.subarray(offset - length, offset)
    }
    const channelId = toHex(take(ID_BYTES))
    const numbers = viewOf(take(NUMBERS_BYTES))
    return {
      channelId,
      epoch: numbers.getUint32(0),
      noticeSeconds: numbers.getUint32(4),
      amount: bytesToBigint(take(AMOUNT_BYTES)),
      payer: toHex(take(ACCOUNT_BYTES)),
      signer: toHex(take(ACCOUNT_BYTES)),
      signature: take(SIGNATURE_BYTES),
    }
  },
  keyOf: ({ channelId }) => channelId,
  supersedes: (next, previous) =>
    next.epoch > previous.epoch || (next.epoch === previous.epoch && next.amount > previous.amount),
}

/** Errors as `AppendLog.open`. */
export async function openVoucherLog(path: string): Promise<VoucherLog> {
  return await LatestLog.open(path, voucherForm)
}
