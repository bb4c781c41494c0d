/** Days of the ledger: UTC, counted from the Unix epoch. */
import { MainframeError } from '@mainframe/protocol'

const DAY_MS = 86_400_000

export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}

/** Milliseconds since the Unix epoch at which a day begins. */
export function startOfDay(day: number): number {
  return day * DAY_MS
}

/** Such as 2026-08-19. */
export function formatDay(day: number): string {
  return new Date(startOfDay(day)).toISOString().slice(0, 10)
}

/** The day of a text such as 2026-08-19. Throws `VALIDATION_FAILED`. */
export function parseDay(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(ms) || formatDay(dayOf(ms)) !== text) {
    throw new MainframeError('VALIDATION_FAILED', `"${text}" is not a day such as 2026-08-19`)
  }
  return dayOf(ms)
}

/** The month of a day, such as 2026-08: what one file of the ledger is about. */
export function monthOf(day: number): string {
  return formatDay(day).slice(0, 7)
}

/** The first day of a month. */
export function firstDayOf(month: string): number {
  return parseDay(`${month}-01`)
}
