/** What stands in a ledger file: entries, and the sheet of all balances that closes each group of them. */
import {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  fromHex,
  type Hex,
  toHex,
  viewOf,
} from '@mainframe/protocol'
import type { LatestLogForm } from '../storage/latest-log.ts'
import { type AccountName, accountCode, accountOfCode } from './chart.ts'

/**
 * All that was moved on one day from the credited account to the debited one, for one channel. Each
 * is balanced by itself, and holds a total that only grows: written twice it counts once, and any
 * part of a file is balanced.
 */
export interface Entry {
  /** Days since the Unix epoch, UTC; {@link CARRIED} for everything in earlier files. */
  day: number
  /** The token, in base units of which it counts; zero for the chain's coin. */
  medium: Hex
  debit: AccountName
  credit: AccountName
  /** The channel that it is about, and the account at its other end. */
  channel: { id: Hex; peer: Hex; epoch: number } | undefined
  amountBase: bigint
}

/** The balances when a group of entries was complete. The latest number counts. */
export interface Sheet {
  number: number
  /** The block that chain amounts are of. */
  block: number
  /** Written by a relay that stopped in order; nothing was earned after it. */
  isClosing: boolean
  /** Raised by debits in places, by credits in sources. */
  balances: readonly { medium: Hex; account: AccountName; base: bigint }[]
}

export type LedgerRecord = { entry: Entry } | { sheet: Sheet }

/** The day of entries that sum up the files before. */
export const CARRIED = 0

const [ENTRY, SHEET] = [1, 2]
const [ACCOUNT_BYTES, ID_BYTES, AMOUNT_BYTES] = [20, 32, 16]
const ENTRY_HEAD_BYTES = 9
const ENTRY_BYTES = ENTRY_HEAD_BYTES + AMOUNT_BYTES + 2 * ACCOUNT_BYTES + ID_BYTES
const SHEET_HEAD_BYTES = 18
const ROW_BYTES = 2 + ACCOUNT_BYTES + AMOUNT_BYTES
const NO_CHANNEL = {
  id: toHex(new Uint8Array(ID_BYTES)),
  peer: toHex(new Uint8Array(20)),
  epoch: 0,
}

/** Which entries are about the same: a later one, with a larger total, takes the place of an earlier. */
export function entryKey({ day, medium, debit, credit, channel }: Entry): string {
  return `${day} ${debit} ${credit} ${medium} ${channel?.id ?? ''}`
}

/**
 * Entry: 1, day u16, debit u8, credit u8, epoch u32, amount 16, medium 20, channel 32, peer 20.
 * Sheet: 2, closing u8, number u64, block u64, then for each balance account u8, 1 if it is below
 * zero u8, medium 20, amount 16.
 */
export const ledgerForm: LatestLogForm<LedgerRecord> = {
  encode: (record) => ('entry' in record ? encodeEntry(record.entry) : encodeSheet(record.sheet)),
  decode: (record) => {
    if (record[0] === ENTRY && record.length === ENTRY_BYTES) return decodeEntry(record)
    const isSheet = record[0] === SHEET && (record.length - SHEET_HEAD_BYTES) % ROW_BYTES === 0
    return isSheet ? decodeSheet(record) : undefined
  },
  keyOf: (record) => ('entry' in record ? entryKey(record.entry) : 'sheet'),
  supersedes: (next, previous) => {
    if ('entry' in next && 'entry' in previous) {
      return next.entry.amountBase > previous.entry.amountBase
    }
    return 'sheet' in next && 'sheet' in previous && next.sheet.number > previous.sheet.number
  },
}

function encodeEntry({ day, medium, debit, credit, channel, amountBase }: Entry): Uint8Array {
  const { id, peer, epoch } = channel ?? NO_CHANNEL
  const head = new Uint8Array(ENTRY_HEAD_BYTES)
  const view = viewOf(head)
  view.setUint8(0, ENTRY)
  view.setUint16(1, day)
  view.setUint8(3, accountCode(debit))
  view.setUint8(4, accountCode(credit))
  view.setUint32(5, epoch)
  const amount = bigintToBytes(amountBase, AMOUNT_BYTES)
  return concatBytes(head, amount, fromHex(medium), fromHex(id), fromHex(peer))
}

function decodeEntry(record: Uint8Array): LedgerRecord | undefined {
  const view = viewOf(record)
  const [debit, credit] = [accountOfCode(view.getUint8(3)), accountOfCode(view.getUint8(4))]
  if (!debit || !credit) return undefined
  const take = taker(record, ENTRY_HEAD_BYTES)
  const amountBase = bytesToBigint(take(AMOUNT_BYTES))
  const medium = toHex(take(ACCOUNT_BYTES))
  const channel = { id: toHex(take(ID_BYTES)), peer: toHex(take(ACCOUNT_BYTES)) }
  const isAboutChannel = channel.id !== NO_CHANNEL.id
  const about = isAboutChannel ? { ...channel, epoch: view.getUint32(5) } : undefined
  return { entry: { day: view.getUint16(1), medium, debit, credit, channel: about, amountBase } }
}

function encodeSheet({ number, block, isClosing, balances }: Sheet): Uint8Array {
  const head = new Uint8Array(SHEET_HEAD_BYTES)
  const view = viewOf(head)
  view.setUint8(0, SHEET)
  view.setUint8(1, isClosing ? 1 : 0)
  view.setBigUint64(2, BigInt(number))
  view.setBigUint64(10, BigInt(block))
  const rows = balances.map(({ medium, account, base }) => {
    const amount = bigintToBytes(base < 0n ? -base : base, AMOUNT_BYTES)
    return concatBytes(
      Uint8Array.of(accountCode(account), base < 0n ? 1 : 0),
      fromHex(medium),
      amount,
    )
  })
  return concatBytes(head, ...rows)
}

function decodeSheet(record: Uint8Array): LedgerRecord | undefined {
  const view = viewOf(record)
  const take = taker(record, SHEET_HEAD_BYTES)
  const balances: { medium: Hex; account: AccountName; base: bigint }[] = []
  for (let row = SHEET_HEAD_BYTES; row < record.length; row += ROW_BYTES) {
    const [code = 0, isNegative] = take(2)
    const medium = toHex(take(ACCOUNT_BYTES))
    const amount = bytesToBigint(take(AMOUNT_BYTES))
    const account = accountOfCode(code)
    if (!account) return undefined
    balances.push({ medium, account, base: isNegative ? -amount : amount })
  }
  return {
    sheet: {
      isClosing: view.getUint8(1) === 1,
      number: Number(view.getBigUint64(2)),
      block: Number(view.getBigUint64(10)),
      balances,
    },
  }
}

function taker(record: Uint8Array, start: number): (length: number) => Uint8Array {
  let offset = start
  return (length) => {
    offset += length
    return record.subarray(offset - length, offset)
  }
}
