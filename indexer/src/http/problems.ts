import { STATUS_CODES } from 'node:http'
import { type ApiProblem, type ErrorCode, errorCode, MainframeError } from '@mainframe/protocol'

/** HTTP status of the errors that a client may see; every other one is ours, and 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  VALIDATION_FAILED: 400,
  CODEC_INVALID: 400,
  INDEXER_NOT_FOUND: 404,
  INDEXER_BUSY: 503,
  INDEXER_NOT_READY: 503,
  STORE_UNREACHABLE: 503,
}

/** The RFC 9457 body of a refusal. What went wrong inside is logged, not told. */
export function problemOf(error: unknown): ApiProblem {
  const code = errorCode(error)
  const status = code && STATUS[code]
  if (code && status !== undefined) return problem(code, status, (error as Error).message)
  const { statusCode, message } = error as { statusCode?: number; message?: string }
  if (statusCode === 429 || statusCode === 503) {
    return problem('INDEXER_BUSY', statusCode, message ?? 'Try again later')
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return problem('VALIDATION_FAILED', statusCode, message ?? 'The request is not valid')
  }
  return problem('INTERNAL', 500, 'The request failed; the cause is in the log of the indexer')
}

/** The error for a name that stands for nothing. */
export function notFound(what: string): MainframeError {
  return new MainframeError('INDEXER_NOT_FOUND', `There is no ${what}`)
}

function problem(code: ErrorCode, status: number, detail: string): ApiProblem {
  const title = STATUS_CODES[status] ?? 'Error'
  return { type: `urn:mainframe:error:${code}`, title, status, detail, code }
}
