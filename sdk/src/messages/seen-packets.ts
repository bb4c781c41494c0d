/** Packets that were looked at lately: two relays deliver most of them twice. */

/** About 5 MB; beyond it a second copy costs one more attempt to open. */
const WINDOW = 32_768

export interface SeenPackets {
  /**
   * Whether a packet is new; if not, the message that it belonged to, if it was one of ours.
   * A new packet is remembered. Its id is 16 bytes of a hash of all of it, as {@link idOf} writes them.
   */
  look(id: string): { isNew: boolean; message: string | undefined }
  /** Whether it is remembered. */
  has(id: string): boolean
  /** Remembers of which of our messages a packet is. */
  assign(id: string, message: string): void
  /** A packet that could not be dealt with is new when it comes again. */
  forget(id: string): void
}

export function createSeenPackets(window: number = WINDOW): SeenPackets {
  const seen = new Map<string, string | undefined>()
  return {
    look: (id) => {
      if (seen.has(id)) return { isNew: false, message: seen.get(id) }
      seen.set(id, undefined)
      if (seen.size > window) {
        const [oldest] = seen.keys()
        if (oldest !== undefined) seen.delete(oldest)
      }
      return { isNew: true, message: undefined }
    },
    has: (id) => seen.has(id),
    assign: (id, message) => {
      if (seen.has(id)) seen.set(id, message)
    },
    forget: (id) => void seen.delete(id),
  }
}

const ID_BYTES = 16

/** A hash as a key: a character for each byte is the shortest that there is. */
export function idOf(hash: Uint8Array): string {
  return String.fromCharCode(...hash.subarray(0, ID_BYTES))
}
