/**
 * How far a client may resume at each relay: never past a packet of a message that is not finished,
 * so that a restart gets those packets again.
 */
export interface Cursors {
  /** A relay delivered up to `cursor`; `message` is the unfinished message that the packet is of. */
  note(relay: string, cursor: number, message?: string): void
  /** A message is finished, or given up: it holds no cursor back any more. */
  settle(message: string): void
  /** Where to resume at a relay; `undefined` when it never delivered. */
  resumeAt(relay: string): number | undefined
}

interface RelayCursor {
  last: number
  /** For each unfinished message the cursor of its first packet from this relay. */
  held: Map<string, number>
}

export function createCursors(): Cursors {
  const relays = new Map<string, RelayCursor>()
  return {
    note: (relay, cursor, message) => {
      const known = relays.get(relay) ?? { last: 0, held: new Map() }
      relays.set(relay, known)
      known.last = cursor
      if (message !== undefined && !known.held.has(message)) known.held.set(message, cursor)
    },
    settle: (message) => {
      for (const { held } of relays.values()) held.delete(message)
    },
    resumeAt: (relay) => {
      const known = relays.get(relay)
      if (!known) return undefined
      // A relay that lost its data counts from the beginning: what it says last is what counts.
      return Math.min(known.last, ...[...known.held.values()].map((cursor) => cursor - 1))
    },
  }
}
