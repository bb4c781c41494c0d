/** Recomputes where every base unit is, and says where the ledger says otherwise. */
import { join } from 'node:path'
import type { Hex } from '@mainframe/protocol'
import { readSignedAmounts, type SignedAmount } from '../payments/signed-log.ts'
import { readVouchers, type StoredVoucher } from '../payments/voucher-log.ts'
import type { LatestCopy } from '../storage/latest-log.ts'
import { LEDGER_FOLDER, SIGNED_FILE, VOUCHER_FILE } from '../storage/names.ts'
import type { Moment } from './accounts.ts'
import { balancesOf, createBook } from './book.ts'
import type { AccountName } from './chart.ts'
import { type Difference, findDifferences } from './compare.ts'
import { type ChainQuery, checkVouchers, readChain } from './evidence.ts'
import { gatherFacts } from './facts.ts'
import { readNewest } from './journal.ts'

export interface AuditReport {
  /** Whether logs, ledger and chain agree to the last base unit. */
  balanced: boolean
  /** The MFT contract. */
  mft: Hex
  /** The block that the chain was read up to. */
  block: number
  /** What was looked at. */
  entries: number
  vouchers: number
  channels: number
  /** What the ledger says, in base units. */
  balances: { medium: Hex; account: AccountName; base: string }[]
  differences: Difference[]
  /** Sentences: what is wrong with files, and what explains a difference. */
  notes: string[]
}

export interface AuditQuery extends ChainQuery {
  dataFolder: string
}

/**
 * Reads logs and ledger from disk and the chain from its first block, and compares. Of a running relay
 * the moment says up to where: what came later counts for nothing. Errors as `readChain`.
 */
export async function audit(query: AuditQuery, moment?: Moment): Promise<AuditReport> {
  const { dataFolder, deployment, account } = query
  const [ledger, voucherFile, signedFile] = await Promise.all([
    readNewest(join(dataFolder, LEDGER_FOLDER)),
    readVouchers(join(dataFolder, VOUCHER_FILE)),
    readSignedAmounts(join(dataFolder, SIGNED_FILE)),
  ])
  const book = createBook(ledger.entries.values())
  const wanted = moment?.block ?? book.sheet?.block
  const chain = await readChain(query, wanted)
  const { good, bad } = await checkVouchers(voucherFile.entries.values(), query, chain.directory)
  const facts = gatherFacts({
    account,
    media: query.media,
    directory: chain.directory,
    vouchers: asOf(good, moment?.vouchers),
    signed: asOf(signedFile.entries, moment?.signed),
  })
  const token = deployment.token.toLowerCase() as Hex
  const differences = findDifferences(book, { facts, cash: chain.cash, token })
  const files = [
    ['The ledger', ledger],
    ['The log of vouchers', voucherFile],
    ['The log of signed amounts', signedFile],
  ] as const
  const damages = files.flatMap(([name, file]) => faultOf(name, file) ?? [])
  const notes = bad.map((id) => `The voucher of channel ${id} is not signed as a claim needs it`)
  if (!moment) notes.push(...files.flatMap(([name, file]) => tailOf(name, file) ?? []))
  if (!moment && book.sheet?.isClosing === false) notes.push(UNCLOSED)
  if (wanted !== undefined && chain.block !== wanted) notes.push(stateGone(wanted, chain.block))
  return {
    balanced: differences.length + damages.length + bad.length === 0,
    mft: token,
    block: chain.block,
    entries: book.entries.size,
    vouchers: voucherFile.entries.size,
    channels: facts.channels.length,
    balances: balancesOf(book).map((row) => ({ ...row, base: `${row.base}` })),
    differences,
    notes: [...damages, ...notes],
  }
}

const UNCLOSED =
  'The relay was killed: what it had not entered yet is entered as unattributed when it starts again'

function stateGone(wanted: number, block: number): string {
  return (
    `The chain's node has no state of block ${wanted} any more, where the ledger ends: ` +
    `this compares with block ${block}, so that what happened between stands among the differences`
  )
}

function faultOf(name: string, { damage, isMissing }: LatestCopy<unknown>): string | undefined {
  return isMissing ? `${name} is missing` : damage?.message
}

function tailOf(name: string, { cutBytes }: LatestCopy<unknown>): string | undefined {
  if (cutBytes === 0) return undefined
  return `${name} ends in ${cutBytes} bytes of an unfinished writing, which count for nothing`
}

/** What of the files had been written at that moment. */
function asOf<T extends StoredVoucher | SignedAmount>(
  onDisk: ReadonlyMap<string, T>,
  then: ReadonlyMap<string, T> | undefined,
): ReadonlyMap<string, T> {
  if (!then) return onDisk
  const isLater = (a: T, b: T) => a.epoch > b.epoch || (a.epoch === b.epoch && a.amount > b.amount)
  const known = [...onDisk].flatMap(([id, entry]): [string, T][] => {
    const before = then.get(id)
    return before ? [[id, isLater(entry, before) ? before : entry]] : []
  })
  return new Map(known)
}
