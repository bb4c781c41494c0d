/** Logs: JSON lines on standard error. No payload, address or peer id at info level or above. */
import { type Logger, pino } from 'pino'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type { Logger }

export function createLogger(level: LogLevel): Logger {
  // standard output belongs to what --json prints; synchronous, so that a crash loses no line
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }))
}
