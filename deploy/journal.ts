/**
 * Ignition's journal: a line of JSON for every step, written before the next one begins. From it a
 * deployment goes on after a kill, and all that is recorded of it is taken.
 */
import { readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hex, MainframeError } from '@mainframe/protocol'
import { isErrno } from '../node/src/storage/durable-file.ts'

/** What a journal tells of one contract; what has not happened yet is left out. */
export interface JournalEntry {
  futureId: string
  contract: string
  /** The account that deploys it. */
  from: Hex
  arguments: readonly string[]
  /** The nonce that its transaction has or is to have. */
  nonce?: number
  /** The transaction was sent. */
  hash?: Hex
  /** It is deployed. */
  address?: Hex
  block?: number
  /** An earlier run gave it up: it reverted, or waited in vain for a block. */
  end?: 'failed' | 'timed out'
}

interface Line {
  type: string
  futureId: string
  contractName?: string
  from?: Hex
  constructorArgs?: unknown[]
  nonce?: number
  transaction?: { hash: Hex }
  receipt?: { blockNumber: number }
  result?: { type: string; address?: Hex }
}

const fileOf = (folder: string) => join(folder, 'journal.jsonl')

/** The contracts of a journal in the order in which they were begun; none without a journal. */
export async function readJournal(folder: string): Promise<JournalEntry[]> {
  const { lines } = await readLines(fileOf(folder))
  const entries = new Map<string, JournalEntry>()
  for (const line of lines) {
    if (line.type === 'DEPLOYMENT_EXECUTION_STATE_INITIALIZE')
      entries.set(line.futureId, begun(line))
    if (line.type === 'WIPE_APPLY') entries.delete(line.futureId)
    const entry = entries.get(line.futureId)
    if (entry !== undefined) apply(entry, line)
  }
  return [...entries.values()]
}

/**
 * Takes away what a process that was killed while it wrote left behind: half a line at the end. The step
 * that it was to tell of had not begun.
 */
export async function mendJournal(folder: string): Promise<void> {
  const file = fileOf(folder)
  const { wholeBytes, isTorn } = await readLines(file)
  if (isTorn) await truncate(file, wholeBytes)
  // A list of addresses for people; Ignition adds to it, and fails when it was killed doing that.
  const list = join(folder, 'deployed_addresses.json')
  const text = await readFile(list, 'utf8').catch(() => undefined)
  if (text !== undefined && !isJson(text)) await rm(list)
}

function begun({ futureId, contractName = '', from = '0x', constructorArgs = [] }: Line) {
  return { futureId, contract: contractName, from, arguments: constructorArgs.map(plainArgument) }
}

function apply(entry: JournalEntry, { type, nonce, transaction, receipt, result }: Line): void {
  if (type === 'TRANSACTION_PREPARE_SEND' && nonce !== undefined) entry.nonce = nonce
  if (type === 'TRANSACTION_SEND' && transaction) entry.hash = transaction.hash
  if (type === 'TRANSACTION_CONFIRM' && receipt) entry.block = receipt.blockNumber
  if (type === 'DEPLOYMENT_EXECUTION_STATE_COMPLETE') {
    if (result?.address) entry.address = result.address
    else entry.end = 'failed'
  }
  if (type === 'ONCHAIN_INTERACTION_TIMEOUT') entry.end = 'timed out'
  if (type === 'ONCHAIN_INTERACTION_REPLACED_BY_USER') {
    delete entry.nonce
    delete entry.hash
  }
}

/** Ignition writes big numbers as objects. */
function plainArgument(value: unknown): string {
  const big = value as { _kind?: string; value?: string }
  return big?._kind === 'bigint' ? String(big.value) : String(value)
}

async function readLines(file: string) {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  const rows = text.split('\n')
  const last = rows.at(-1) ?? ''
  const isTorn = last !== '' && !isJson(last)
  const whole = isTorn ? rows.slice(0, -1) : rows
  const lines = whole.filter((row) => row !== '').map((row) => parseLine(row, file))
  // each row begins with its line feed, so the torn one takes it along
  return { lines, isTorn, wholeBytes: Buffer.byteLength(whole.join('\n')) }
}

function parseLine(row: string, file: string): Line {
  try {
    return JSON.parse(row) as Line
  } catch (cause) {
    const message = `${file} is damaged in its midst: restore it from a copy, or find out by hand what is deployed`
    throw new MainframeError('STORE_CORRUPT', message, { cause })
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
