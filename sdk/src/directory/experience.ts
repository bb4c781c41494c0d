/** What this client has seen of relays itself; never shared (PROTOCOL.md §5). */
import type { Hex } from '@mainframe/protocol'

interface Memory {
  /** Estimated probability that the relay passes a packet on, as of `atMs`. */
  works: number
  atMs: number
  /** When a packet was last known to have come through. */
  provenAtMs: number
  /** Connections of our own. */
  succeeded: number
  failed: number
}

/** What is assumed of a stranger. */
const PRIOR = 0.95
/** Bounds of an estimate: nobody is certain, nobody is lost for ever. */
const LEAST = 0.02
const MOST = 0.995
/** Estimates return to the prior with this time constant: a dead relay may have been restarted. */
const FORGETTING_MS = 10 * 60_000
/** From here on a relay is chosen as often as any other. */
const TRUSTED = 0.8
/** Below this nothing is learnt from trying again soon. */
const WRITTEN_OFF = 0.2

/** How paths and connections ended, relay by relay. */
export interface Experience {
  /** A packet that took this path has arrived, as far as `certainty`. */
  arrived(path: readonly Hex[], nowMs: number, certainty: number): void
  /**
   * Nothing was heard of a packet that took this path. `certainty`: how probable an answer was, had
   * all of these relays passed it on; the recipient may be away.
   */
  lost(path: readonly Hex[], nowMs: number, certainty: number): void
  /** What was blamed on relays was somebody else's fault. */
  acquit(): void
  /** A connection of our own was made, or could not be. */
  connected(nodeId: Hex, nowMs: number): void
  unreachable(nodeId: Hex, nowMs: number): void
  /**
   * Weight in the choice of hops: 1 for relays without a blemish, so that the choice is uniform;
   * less for those in whose company packets get lost.
   */
  weight(nodeId: Hex, nowMs: number): number
  /** How long ago a packet was known to have come through; infinite if never. */
  provenForMs(nodeId: Hex, nowMs: number): number
  /** Whether the relay is as good as known not to work. */
  isWrittenOff(nodeId: Hex, nowMs: number): boolean
  /** Connections, for a rank. */
  observed(nodeId: Hex): { succeeded: number; failed: number }
}

export function createExperience(): Experience {
  const memories = new Map<Hex, Memory>()
  const at = (nodeId: Hex, nowMs: number): Memory => {
    const known = memories.get(nodeId) ?? stranger(nowMs)
    const share = Math.exp(-Math.max(0, nowMs - known.atMs) / FORGETTING_MS)
    known.works = PRIOR + (known.works - PRIOR) * share
    known.atMs = nowMs
    memories.set(nodeId, known)
    return known
  }
  return {
    arrived: (path, nowMs, certainty) => {
      for (const memory of path.map((nodeId) => at(nodeId, nowMs))) {
        memory.works += (MOST - memory.works) * certainty
        if (certainty === 1) memory.provenAtMs = nowMs
      }
    },
    lost: (path, nowMs, certainty) => {
      blame(
        path.map((nodeId) => at(nodeId, nowMs)),
        certainty,
      )
    },
    acquit: () => {
      for (const memory of memories.values()) memory.works = Math.max(memory.works, PRIOR)
    },
    connected: (nodeId, nowMs) => {
      const memory = at(nodeId, nowMs)
      memory.succeeded += 1
      memory.works = Math.max(memory.works, PRIOR)
    },
    unreachable: (nodeId, nowMs) => {
      const memory = at(nodeId, nowMs)
      memory.failed += 1
      memory.works = LEAST
    },
    weight: (nodeId, nowMs) => {
      const { works } = at(nodeId, nowMs)
      return works >= TRUSTED ? 1 : works * works
    },
    provenForMs: (nodeId, nowMs) => nowMs - at(nodeId, nowMs).provenAtMs,
    isWrittenOff: (nodeId, nowMs) => at(nodeId, nowMs).works < WRITTEN_OFF,
    observed: (nodeId) => {
      const { succeeded = 0, failed = 0 } = memories.get(nodeId) ?? {}
      return { succeeded, failed }
    },
  }
}

function stranger(nowMs: number): Memory {
  const provenAtMs = Number.NEGATIVE_INFINITY
  return { works: PRIOR, atMs: nowMs, provenAtMs, succeeded: 0, failed: 0 }
}

/** Bayes: how probable it is for each relay that it works, given that the path as a whole did not. */
function blame(path: readonly Memory[], certainty: number): void {
  const before = path.map(({ works }) => works)
  const all = before.reduce((product, works) => product * works, certainty)
  path.forEach((memory, i) => {
    const works = before[i] ?? PRIOR
    const others = all / works
    const after = (works * (1 - others)) / (1 - all)
    memory.works = Math.min(MOST, Math.max(LEAST, after))
  })
}
