/** What an Ethereum node answers, looked at before it is believed to have the form that it should. */
import { type Hex, MainframeError, type RawLog } from '@mainframe/protocol'

export interface Header {
  hash: Hex
  parentHash: Hex
  /** Unix seconds. */
  timestampSeconds: number
}

/** What became of a mined transaction. */
export interface MinedReceipt {
  transactionHash: Hex
  blockNumber: number
  gasUsed: bigint
  hasSucceeded: boolean
  logs: readonly RawLog[]
}

/** A JSON-RPC quantity that is a safe integer. Throws `CHAIN_MISMATCH`, retryable. */
export function parseCount(answer: unknown, what: string): number {
  const count = Number(parseQuantity(answer, what))
  if (Number.isSafeInteger(count)) return count
  throw senseless(what)
}

/** A JSON-RPC quantity of up to 256 bits. Throws `CHAIN_MISMATCH`, retryable. */
export function parseQuantity(answer: unknown, what: string): bigint {
  if (typeof answer === 'string' && /^0x[0-9a-f]{1,64}$/i.test(answer)) return BigInt(answer)
  throw senseless(what)
}

/** A block without its transactions; `undefined` for none. Throws `CHAIN_MISMATCH`, retryable. */
export function parseHeader(answer: unknown): Header | undefined {
  if (answer === null) return undefined
  const { hash, parentHash, timestamp } = fieldsOf(answer, 'a block')
  if (!isHash(hash) || !isHash(parentHash)) throw senseless('a block')
  return { hash, parentHash, timestampSeconds: parseCount(timestamp, 'a block') }
}

/** `undefined` while a transaction is not mined. Throws `CHAIN_MISMATCH`, retryable. */
export function parseReceipt(answer: unknown): MinedReceipt | undefined {
  if (answer === null) return undefined
  const { transactionHash, blockNumber, gasUsed, status, logs } = fieldsOf(answer, 'a receipt')
  if (blockNumber === null) return undefined
  if (!isHash(transactionHash)) throw senseless('a receipt')
  return {
    transactionHash,
    blockNumber: parseCount(blockNumber, 'a receipt'),
    gasUsed: parseQuantity(gasUsed, 'a receipt'),
    hasSucceeded: parseQuantity(status, 'a receipt') === 1n,
    logs: parseLogs(logs),
  }
}

/** Logs of mined blocks. Throws `CHAIN_MISMATCH`, retryable. */
export function parseLogs(answer: unknown): RawLog[] {
  if (!Array.isArray(answer)) throw senseless('logs')
  for (const log of answer) {
    const { address, topics, data, blockNumber, blockHash, logIndex } = fieldsOf(log, 'logs')
    parseCount(blockNumber, 'logs')
    parseCount(logIndex, 'logs')
    const isForm =
      isHex(address) &&
      isHex(data) &&
      isHash(blockHash) &&
      Array.isArray(topics) &&
      topics.every(isHash)
    if (!isForm) throw senseless('logs')
  }
  return answer
}

function fieldsOf(answer: unknown, what: string): Record<string, unknown> {
  if (typeof answer === 'object' && answer !== null) return answer as Record<string, unknown>
  throw senseless(what)
}

function isHex(value: unknown): value is Hex {
  return typeof value === 'string' && /^0x([0-9a-f]{2})*$/i.test(value)
}

function isHash(value: unknown): value is Hex {
  return isHex(value) && value.length === 66
}

function senseless(what: string): MainframeError {
  const message = `The chain's node answers something senseless for ${what}; asking again`
  return new MainframeError('CHAIN_MISMATCH', message, { retryable: true })
}
