/** What a person's inbox and a group's do differently with what has been opened. */
import type { Content, Fragment, Publication } from './payload.ts'
import type { PartialMessage } from './reassembly.ts'
import type { UnopenedPackets } from './unopened.ts'

/** How an inbox that has opened a packet goes on; `M` is a message as its handlers get it. */
export interface InboxKind<M> {
  /** Packets that keys to come may open; a person's inbox has one key for life. */
  readonly unopened?: UnopenedPackets
  /** The piece of a message in a packet, or what else became of the packet. */
  pieceOf(content: Content): Fragment | Publication | 'acknowledgement' | 'loop' | 'no-message'
  /** A complete message as handlers get it. */
  messageOf(key: string, partial: PartialMessage, bytes: Uint8Array): M
  /** A piece has come of a message that was dealt with before. */
  onRepeated(key: string, piece: Fragment | Publication): void
  /** A piece has come, and others are missing. */
  onUnfinished(key: string): void
  /** The message is complete, or given up. */
  onGone(key: string): void
  /** The message is dealt with, and that is durable. */
  onDone(key: string, partial: PartialMessage): void
  close(): void
}
