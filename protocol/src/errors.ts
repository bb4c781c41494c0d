/**
 * Every error code of the project, with what it means. `docs/errors.md` lists the same codes; a test
 * compares both. What a peer does wrong is no error but an outcome: `PACKET_REFUSALS`, `CREDIT_OUTCOMES`.
 */
export const ERROR_CODES = {
  CODEC_INVALID: 'bytes or text handed in do not have the documented form',
  CRYPTO_INVALID_KEY: 'a key has the wrong length or is not a usable key',
  VALIDATION_FAILED: 'an argument is outside its documented bounds',
  CONFIG_INVALID: 'a configuration value is missing, unknown or out of bounds',
  CONFIG_IN_USE: 'a port, folder or file is used by another process',
  CHAIN_UNREACHABLE: 'the chain RPC does not answer',
  CHAIN_MISMATCH: 'the chain, its contracts or its answers are not the expected ones',
  CHAIN_REJECTED: 'a transaction was refused or reverted',
  INDEXER_UNREACHABLE: 'no configured indexer answers',
  INDEXER_INVALID: 'an indexer answered something that the chain contradicts or the schema refuses',
  INDEXER_NOT_FOUND: 'the indexer knows nothing under that name',
  INDEXER_NOT_READY: 'the indexer has not read the chain far enough to answer',
  INDEXER_BUSY: 'the indexer is overloaded, or the client asked too often',
  INDEXER_FORKED: 'the chain changed below a block that was final',
  STORE_CORRUPT: 'a file on disk does not have the form it was written in',
  STORE_PASSPHRASE: 'the passphrase of a store or backup is wrong or missing',
  STORE_LOCKED: 'another process holds the data folder',
  STORE_UNREACHABLE: 'the database server does not answer',
  STORE_FAILED: 'the disk refuses to read or write',
  PAYMENT_INSUFFICIENT: 'a balance, deposit or window is too small for what was asked',
  PAYMENT_BUDGET: 'what may be spent in a day is spent',
  PAYMENT_UNVERIFIED: 'a quote or channel does not agree with the chain',
  PAYMENT_NO_MEDIUM: 'no relay takes a medium of exchange that may be paid with',
  NETWORK_NO_RELAY: 'no usable relay is known or reachable',
  NETWORK_TIMEOUT: 'a peer did not answer in time',
  NETWORK_CLOSED: 'the connection or client was closed meanwhile',
  MESSAGE_TOO_LONG: 'a message is longer than 1 MiB',
  MESSAGE_UNDELIVERED: 'a message was not acknowledged in time',
  INTERNAL: 'a bug in this project',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** What may be passed beside the message of a {@link MainframeError}. */
export interface MainframeErrorOptions {
  /** Plain JSON facts for machines; never a secret, payload or full peer id. */
  details?: Record<string, unknown>
  cause?: unknown
  /** True when the same call may succeed later without a change by the caller. */
  retryable?: boolean
}

/** The one error type of the project. Compare by `code`, never by message or class. */
export class MainframeError extends Error {
  override readonly name = 'MainframeError'
  readonly code: ErrorCode
  readonly details: Record<string, unknown>
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: MainframeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    this.retryable = options.retryable ?? false
  }
}

/** The code of an error of this project, `undefined` for any other value. */
export function errorCode(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code)
    ? (code as ErrorCode)
    : undefined
}
