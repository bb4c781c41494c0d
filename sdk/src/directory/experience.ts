/** What this client has seen of relays itself; never shared (PROTOCOL.md §5). */
import type { Hex } from '@mainframe/protocol'

interface Memory {
  succeeded: number
  failed: number
  /** Failures since the last success, and when the first of them was. */
  streak: number
  streakSince: number
  lastSuccess: number
}

/** Failures in a row after which a relay may be suspected. */
const SUSPICIOUS_STREAK = 3
/** A suspect is tried again after this: it may have been restarted. */
const FORGIVEN_AFTER_MS = 10 * 60_000

/** How paths and connections ended, relay by relay. */
export interface Experience {
  succeeded(nodeIds: readonly Hex[], nowMs: number): void
  failed(nodeIds: readonly Hex[], nowMs: number): void
  /**
   * Relays through which nothing comes while most others work. When nothing comes through at all,
   * as with a recipient who is off line, nobody is suspected.
   */
  suspects(nowMs: number): ReadonlySet<Hex>
  /** Attempts for a rank. */
  observed(nodeId: Hex): { succeeded: number; failed: number }
}

export function createExperience(): Experience {
  const memories = new Map<Hex, Memory>()
  const of = (nodeId: Hex): Memory => {
    const known = memories.get(nodeId)
    if (known) return known
    const fresh = {
      succeeded: 0,
      failed: 0,
      streak: 0,
      streakSince: 0,
      lastSuccess: Number.NEGATIVE_INFINITY,
    }
    memories.set(nodeId, fresh)
    return fresh
  }
  return {
    succeeded: (nodeIds, nowMs) => {
      for (const memory of nodeIds.map(of)) {
        memory.succeeded += 1
        memory.streak = 0
        memory.lastSuccess = nowMs
      }
    },
    failed: (nodeIds, nowMs) => {
      for (const memory of nodeIds.map(of)) {
        memory.failed += 1
        if (memory.streak === 0) memory.streakSince = nowMs
        memory.streak += 1
      }
    },
    suspects: (nowMs) => suspectsIn(memories, nowMs),
    observed: (nodeId) => {
      const { succeeded, failed } = of(nodeId)
      return { succeeded, failed }
    },
  }
}

function suspectsIn(memories: ReadonlyMap<Hex, Memory>, nowMs: number): ReadonlySet<Hex> {
  const all = [...memories]
  const isSuspect = ({ streak, streakSince }: Memory) => {
    if (streak < SUSPICIOUS_STREAK || nowMs - streakSince > FORGIVEN_AFTER_MS) return false
    const working = all.filter(([, other]) => other.lastSuccess >= streakSince)
    return working.length * 2 >= all.length
  }
  return new Set(all.filter(([, memory]) => isSuspect(memory)).map(([nodeId]) => nodeId))
}
