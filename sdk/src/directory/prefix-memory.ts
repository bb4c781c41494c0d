/** The longest prefix that senders may have disclosed for what relays still hold (PROTOCOL.md §7). */
import { list, maybe, object, whole } from '../readers.ts'

/** Luminosities and when each was last the network's, the highest and longest ago first. */
export type PrefixMemory = readonly { bits: number; lastMs: number }[]

/** The longest that a packet is held: 14 days and 10 minutes. */
const LONGEST_HOLD_MS = 20_170 * 60_000
/** More than there are luminosities. */
const MOST_ENTRIES = 130

/** Takes down the network's luminosity as of now; what no held packet can have is forgotten. */
export function notePrefix(memory: PrefixMemory, bits: number, nowMs: number): PrefixMemory {
  const longer = memory
    .map((entry) => ({ ...entry, lastMs: Math.min(entry.lastMs, nowMs) }))
    .filter((entry) => entry.bits > bits && nowMs - entry.lastMs < LONGEST_HOLD_MS)
  return [...longer, { bits, lastMs: nowMs }]
}

/** Bits that a relay shares with an inbox when it got all that was sent to it of late. */
export function longestPrefix(memory: PrefixMemory): number {
  return memory[0]?.bits ?? 0
}

export const readPrefixMemory = maybe(list(object({ bits: whole, lastMs: whole }), MOST_ENTRIES))
