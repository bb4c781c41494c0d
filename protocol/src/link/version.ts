/** Versions of the link protocol, agreed on by HELLO (PROTOCOL.md §3.1). */
import { MAX_QUOTES } from '../quote.ts'

/** The newest version of the link protocol; a payer's HELLO names its highest. */
export const LINK_VERSION = 2
/** The oldest that is still spoken: its HELLO has one quote at most. */
const FIRST_LINK_VERSION = 1

/**
 * The version to use with a payer that speaks up to this one (PROTOCOL.md §3.1); `undefined` when
 * there is none that both speak.
 */
export function agreedVersion(offered: number): number | undefined {
  return offered >= FIRST_LINK_VERSION ? Math.min(offered, LINK_VERSION) : undefined
}

/** Whether a payer speaks what a relay answered. */
export function isSpokenVersion(version: number): boolean {
  return version >= FIRST_LINK_VERSION && version <= LINK_VERSION
}

/** Whether a relay keeps to its quoted prices while a link of this version lasts (PROTOCOL.md §4.1). */
export function keepsQuote(version: number): boolean {
  return version > FIRST_LINK_VERSION
}

/** The most quotes that a HELLO of this version carries. */
export function maxQuotes(version: number): number {
  return version > FIRST_LINK_VERSION ? MAX_QUOTES : 1
}
