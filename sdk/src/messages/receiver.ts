/** From delivered packets to messages of one inbox: open, put together, hand on, remember. */
import { type Message, packetId, toHex } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Completed } from './completed.ts'
import { createCursors } from './cursors.ts'
import { Deliveries, type MessageHandler } from './deliveries.ts'
import type { InboxKind } from './inbox-kind.ts'
import type { Agreed, Keyring } from './keyring.ts'
import { type Content, decodePayload } from './payload.ts'
import {
  addFragment,
  assemble,
  expirePartials,
  type PartialMessage,
  type Reassembly,
  removePartial,
} from './reassembly.ts'
import type { ReceiveOutcome } from './receive-outcome.ts'
import { createSeenPackets, idOf } from './seen-packets.ts'
import type { UnopenedPacket } from './unopened.ts'
import { type Prepared, unseal } from './unseal.ts'

export interface ReceiverOptions<M> {
  keyring: Keyring
  kind: InboxKind<M>
  clock: Clock
  /** Of this inbox alone, like the next one. */
  completed: Completed
  reassembly: Reassembly
  /** Packets that are remembered as seen; see `createSeenPackets`. */
  seenWindow?: number | undefined
  /** There is room for what these relays delivered while there was none: ask them again. */
  onRoom(relays: readonly string[]): void
  onHandlerError(error: unknown): void
}

const EXPIRY_CHECK_MS = 60_000

export class Receiver<M> {
  readonly #options: ReceiverOptions<M>
  readonly #seen
  readonly #cursors = createCursors()
  readonly #deliveries: Deliveries<M>
  /** Complete messages that wait for their handler, or are with it. */
  #handing = 0
  #isAbandoned = false
  #cancelExpiry: () => void

  constructor(options: ReceiverOptions<M>) {
    this.#options = options
    const { clock, onHandlerError, seenWindow } = options
    this.#seen = createSeenPackets(seenWindow)
    this.#deliveries = new Deliveries({ clock, onHandlerError })
    this.#cancelExpiry = clock.after(EXPIRY_CHECK_MS, () => this.#expire())
  }

  handle(handler: MessageHandler<M>): () => void {
    return this.#deliveries.handle(handler)
  }

  /** Takes a packet that a relay delivered under a cursor. Synchronous, never throws. */
  receive(
    packet: Uint8Array,
    relay: string,
    cursor: number,
    { id = idOf(packetId(packet)), agreed }: Prepared = {},
  ): ReceiveOutcome {
    const { isNew, message: known } = this.#seen.look(id)
    if (!isNew) {
      this.#cursors.note(relay, cursor, this.#isUnfinished(known) ? known : undefined)
      return 'seen'
    }
    const message = unseal(packet, {
      keyring: this.#options.keyring,
      nowMs: this.#options.clock.now(),
      agreed,
    })
    if (message === 'unopened' && !this.#keep({ packet, relay, cursor })) {
      return this.#miss(id, relay, cursor)
    }
    if (typeof message === 'string') {
      this.#cursors.note(relay, cursor)
      return message
    }
    const { outcome, key } = this.#takeMessage(message)
    if (outcome === 'full') return this.#miss(id, relay, cursor)
    this.#cursors.note(relay, cursor, this.#holder(outcome, key))
    if (key !== undefined) this.#seen.assign(id, key)
    return outcome
  }

  /** The keys that open packets now. */
  get keyring(): Keyring {
    return this.#options.keyring
  }

  /** Whether a packet has been received, and not missed. */
  knows(id: string): boolean {
    return this.#seen.has(id)
  }

  /** Packets of late that no key has opened. */
  get unopened(): readonly UnopenedPacket[] {
    return this.#options.kind.unopened?.all ?? []
  }

  /** Tries keys that were not there before on {@link unopened}; `agreed` has what was computed before. */
  tryAgain(added: Keyring, agreed?: ReadonlyMap<Uint8Array, Agreed>): void {
    const { kind, clock } = this.#options
    kind.unopened?.sift(({ packet, relay, cursor }) => {
      const known = { agreed: agreed?.get(packet), nowMs: clock.now() }
      const message = unseal(packet, { keyring: added, ...known })
      if (message === 'unopened') return false
      if (typeof message === 'string') return true
      const { outcome, key } = this.#takeMessage(message)
      const holder = this.#holder(outcome, key)
      if (holder !== undefined) this.#cursors.hold(relay, cursor, holder)
      return outcome !== 'full'
    })
  }

  /** Where to resume at a relay; `undefined` when it never delivered. */
  resumeAt(relay: string): number | undefined {
    return this.#cursors.resumeAt(relay)
  }

  /** The same after a restart, which forgets the parts of messages. */
  restartAt(relay: string): number | undefined {
    return this.#cursors.restartAt(relay)
  }

  /** Nothing of this inbox is to be written down any more, not even of a handler that is at work. */
  abandon(): void {
    this.#isAbandoned = true
  }

  close(): void {
    this.#cancelExpiry()
    this.#deliveries.close()
    this.#options.kind.close()
  }

  /** Whether an unopened packet needs no more attention: it is kept, or nobody would open it later. */
  #keep(unopened: { packet: Uint8Array; relay: string; cursor: number }): boolean {
    return this.#options.kind.unopened?.keep(unopened, this.#handing > 0) ?? true
  }

  /** No room: its sender may be gone, and the relay still holds it; it is taken when there is some. */
  #miss(id: string, relay: string, cursor: number): 'full' {
    this.#seen.forget(id)
    this.#cursors.miss(relay, cursor)
    return 'full'
  }

  #takeMessage(message: Message): { outcome: ReceiveOutcome; key: string | undefined } {
    const content = decodePayload(message)
    if (!content) return { outcome: 'no-message', key: undefined }
    const piece = this.#options.kind.pieceOf(content)
    if (typeof piece === 'string') return { outcome: piece, key: undefined }
    const key = keyOf(piece.messageId)
    return { outcome: this.#takePiece(key, piece), key }
  }

  #takePiece(key: string, piece: Extract<Content, { bytes: Uint8Array }>): ReceiveOutcome {
    const { kind, completed, reassembly, clock } = this.#options
    if (completed.has(key)) {
      kind.onRepeated(key, piece)
      return 'completed-before'
    }
    const { outcome, evicted } = addFragment(reassembly, {
      key,
      fragment: piece,
      nowMs: clock.now(),
    })
    for (const gone of evicted) this.#giveUp(gone)
    if (outcome === 'complete') this.#onComplete(key)
    else if (outcome === 'stored' || outcome === 'duplicate') kind.onUnfinished(key)
    return outcome
  }

  /** The message that holds cursors back because of a packet. */
  #holder(outcome: ReceiveOutcome, key: string | undefined): string | undefined {
    return this.#isUnfinished(key) && outcome !== 'inconsistent' ? key : undefined
  }

  #onComplete(key: string): void {
    const { kind, reassembly } = this.#options
    const partial = reassembly.partials.get(key)
    if (!partial) return
    kind.onGone(key)
    this.#handing += 1
    this.#deliveries.push({
      message: () => kind.messageOf(key, partial, assemble(partial)),
      done: () => this.#onDone(key, partial),
    })
  }

  async #onDone(key: string, partial: PartialMessage): Promise<void> {
    if (this.#isAbandoned) return
    const { kind, completed, reassembly, clock } = this.#options
    await completed.add(key, clock.now())
    removePartial(reassembly, key)
    this.#handing -= 1
    this.#cursors.settle(key)
    kind.onDone(key, partial)
    if (this.#handing > 0) return
    kind.unopened?.trim()
    this.#makeUp()
  }

  /** Asks for what found no room, once everything that took the room is handed on. */
  #makeUp(): void {
    const relays = this.#cursors.rewind()
    if (relays.length > 0) this.#options.onRoom(relays)
  }

  #isUnfinished(key: string | undefined): key is string {
    return key !== undefined && this.#options.reassembly.partials.has(key)
  }

  #giveUp(key: string): void {
    this.#options.kind.onGone(key)
    this.#cursors.settle(key)
  }

  #expire(): void {
    const { clock, completed, reassembly, onHandlerError } = this.#options
    const nowMs = clock.now()
    for (const key of expirePartials(reassembly, nowMs)) this.#giveUp(key)
    void completed.forget(nowMs).catch(onHandlerError)
    this.#cancelExpiry = clock.after(EXPIRY_CHECK_MS, () => this.#expire())
  }
}

function keyOf(messageId: Uint8Array): string {
  return toHex(messageId).slice(2)
}
