/** A group's inbox: it listens, and never says a word. */
import type { Clock } from '../clock.ts'
import type { Completed } from './completed.ts'
import type { PublishedMessage } from './deliveries.ts'
import type { InboxKind } from './inbox-kind.ts'
import type { Keyring } from './keyring.ts'
import type { Content, Fragment, Publication } from './payload.ts'
import { createReassembly, type PartialMessage, type ReassemblyLimits } from './reassembly.ts'
import { Receiver, type ReceiverOptions } from './receiver.ts'
import { UnopenedPackets } from './unopened.ts'

export interface GroupOptions
  extends Pick<ReceiverOptions<PublishedMessage>, 'onRoom' | 'onHandlerError'> {
  keyring: Keyring
  clock: Clock
  completed: Completed
  limits?: ReassemblyLimits | undefined
  /** A piece of a message that was completed before, or that we sent ourselves. */
  onEcho(messageKey: string, index: number): void
}

/** A client may be in many groups: a quarter of what a person’s inbox may take. */
export const groupLimits: ReassemblyLimits = {
  messages: 64,
  bytes: 8 * 1024 * 1024,
  idleMs: 2 * 3_600_000,
}
const SEEN_WINDOW = 8_192

/** The receiver of a group's inbox. */
export function groupReceiver(options: GroupOptions): Receiver<PublishedMessage> {
  const { keyring, clock, completed, limits = groupLimits, onRoom, onHandlerError } = options
  return new Receiver({
    keyring,
    kind: new Group(options.onEcho),
    clock,
    completed,
    reassembly: createReassembly(limits),
    seenWindow: SEEN_WINDOW,
    onRoom,
    onHandlerError,
  })
}

class Group implements InboxKind<PublishedMessage> {
  readonly unopened = new UnopenedPackets()
  readonly #onEcho: GroupOptions['onEcho']

  constructor(onEcho: GroupOptions['onEcho']) {
    this.#onEcho = onEcho
  }

  pieceOf(content: Content): Publication | 'no-message' {
    return content.kind === 'publication' ? content : 'no-message'
  }

  messageOf(id: string, { count }: PartialMessage, bytes: Uint8Array): PublishedMessage {
    return { id, bytes, packets: count }
  }

  onRepeated(key: string, { index }: Fragment | Publication): void {
    this.#onEcho(key, index)
  }

  onUnfinished(): void {}

  onGone(): void {}

  onDone(): void {}

  close(): void {}
}
