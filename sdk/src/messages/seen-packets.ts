/** Packets that were looked at lately: two relays deliver most of them twice. */
import { packetId } from '@mainframe/protocol'

/** About 5 MB; beyond it a second copy costs one more attempt to open. */
const WINDOW = 32_768

export interface SeenPackets {
  /**
   * Whether a packet is new; if not, the message that it belonged to, if it was one of ours.
   * A new packet is remembered.
   */
  look(packet: Uint8Array): { isNew: boolean; message: string | undefined; id: string }
  /** Remembers of which of our messages a packet is. */
  assign(id: string, message: string): void
  /** A packet that could not be dealt with is new when it comes again. */
  forget(id: string): void
}

export function createSeenPackets(window: number = WINDOW): SeenPackets {
  const seen = new Map<string, string | undefined>()
  return {
    look: (packet) => {
      const id = String.fromCharCode(...packetId(packet))
      if (seen.has(id)) return { isNew: false, message: seen.get(id), id }
      seen.set(id, undefined)
      if (seen.size > window) {
        const [oldest] = seen.keys()
        if (oldest !== undefined) seen.delete(oldest)
      }
      return { isNew: true, message: undefined, id }
    },
    assign: (id, message) => {
      if (seen.has(id)) seen.set(id, message)
    },
    forget: (id) => void seen.delete(id),
  }
}
