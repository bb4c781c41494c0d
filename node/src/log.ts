/** Logs: JSON lines on standard error. No payload, address or peer id at info level or above. */
import { type DestinationStream, type Logger, pino } from 'pino'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type { Logger }

/**
 * What names a relay, an account, a channel or a peer: 20 bytes and more in hex, peer ids, and where
 * somebody listens. The hash of a transaction of our own stays.
 */
const NAMES =
  /(?<!"transaction":")0x[0-9a-f]{40,}|\b(?:12D3Koo|Qm)[1-9A-HJ-NP-Za-km-z]{20,}|\/(?:ip[46]|dns[46]?|dnsaddr)\/[^\s"\\]+/gi
/** Below this level lines are for whoever looks for a fault, and told whole. */
const INFO = 30

/** Lines go to standard error, or to `destination`. */
export function createLogger(
  level: LogLevel,
  // standard output belongs to what --json prints; synchronous, so that a crash loses no line
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino({ level, base: null, hooks: { streamWrite: withoutNames } }, destination)
}

/** Messages of the chain, the disk and libraries may name what must not be in a log. */
function withoutNames(line: string): string {
  const lineLevel = Number(/"level":(\d+)/.exec(line)?.[1] ?? INFO)
  return lineLevel < INFO ? line : line.replace(NAMES, '…')
}
