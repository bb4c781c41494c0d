/** How far a client is with each relay, in this process and for the next one. */
export interface Cursors {
  /** A relay delivered up to `cursor`; `message` is the unfinished message that the packet is of. */
  note(relay: string, cursor: number, message?: string): void
  /** A packet that was delivered long ago turns out to be of this unfinished message. */
  hold(relay: string, cursor: number, message: string): void
  /** There was no room for the packet at `cursor`: it is to be delivered again. */
  miss(relay: string, cursor: number): void
  /** Goes back before what was missed; the relays that have to be asked for it. */
  rewind(): string[]
  /** A message is finished, or given up: it holds no cursor back any more. */
  settle(message: string): void
  /** Where to resume while this process has its parts; `undefined` when the relay never delivered. */
  resumeAt(relay: string): number | undefined
  /**
   * Where to resume after a restart: never past a packet of a message that is not finished, so that
   * those packets come again.
   */
  restartAt(relay: string): number | undefined
}

interface RelayCursor {
  last: number
  /** For each unfinished message the cursor of its first packet from this relay. */
  held: Map<string, number>
  /** Cursor of the first packet that there was no room for. */
  missed: number | undefined
}

/**
 * A cursor right before one of our packets would tell the relay which packet that is, so it is one
 * of this many. So many packets more are delivered again then, 2 MB at most.
 */
const COARSENESS = 1024

export function createCursors(): Cursors {
  const relays = new Map<string, RelayCursor>()
  const at = (relay: string): RelayCursor => {
    const known = relays.get(relay) ?? { last: 0, held: new Map(), missed: undefined }
    relays.set(relay, known)
    return known
  }
  const hold = ({ held }: RelayCursor, cursor: number, message: string) => {
    held.set(message, Math.min(cursor, held.get(message) ?? cursor))
  }
  return {
    note: (relay, cursor, message) => {
      const known = at(relay)
      known.last = cursor
      if (message !== undefined) hold(known, cursor, message)
    },
    hold: (relay, cursor, message) => hold(at(relay), cursor, message),
    miss: (relay, cursor) => {
      const known = at(relay)
      known.last = cursor
      known.missed = Math.min(cursor, known.missed ?? cursor)
    },
    rewind: () => {
      const behind = [...relays].filter(([, { missed }]) => missed !== undefined)
      for (const [, known] of behind) {
        known.last = before([known.missed ?? 0], known.last)
        known.missed = undefined
      }
      return behind.map(([relay]) => relay)
    },
    settle: (message) => {
      for (const { held } of relays.values()) held.delete(message)
    },
    resumeAt: (relay) => relays.get(relay)?.last,
    restartAt: (relay) => {
      const known = relays.get(relay)
      if (!known) return undefined
      const { last, held, missed } = known
      return before([...held.values(), ...(missed === undefined ? [] : [missed])], last)
    },
  }
}

/** The last cursor before all of these; `last` when they are not behind it, as with a relay that lost its data. */
function before(cursors: readonly number[], last: number): number {
  const first = Math.min(...cursors) - 1
  return first < last ? first - (first % COARSENESS) : last
}
