/** A conversation as applications have it: the engine, with the network under it. */
import {
  encodeContactCode,
  fromHex,
  type Hex,
  MainframeError,
  toHex,
  utf8,
} from '@mainframe/protocol'
import type { Conversation } from '../conversations/conversation.ts'
import type { Role } from '../conversations/payloads.ts'
import type {
  ConversationEvent,
  ConversationPorts,
  InboxKey,
  MemberView,
  MessageView,
} from '../conversations/ports.ts'
import { MOST_KEYS } from '../messages/keyring.ts'
import { encodeLetter } from './letter.ts'
import { BODY_KINDS, type Parts } from './parts.ts'

/** `pair`: between two inboxes. `group`: at an inbox of its own, whatever the number of members. */
export interface ConversationRecord {
  kind: 'pair' | 'group'
  /** Inbox key of the other one of a pair. */
  peer?: Hex
  /** What the user, or who invited, calls it. */
  name?: string
}

/** A private conversation of two, or a group. */
export class OpenConversation {
  readonly record: ConversationRecord
  readonly #parts: Parts
  readonly #attached = Promise.withResolvers<Conversation>()
  readonly #callbacks: ConversationCallbacks
  #engine: Conversation | undefined
  #isListening = false

  constructor(parts: Parts, record: ConversationRecord, callbacks: ConversationCallbacks) {
    this.#parts = parts
    this.record = record
    this.#callbacks = callbacks
  }

  /** What the engine is opened with; then comes {@link attach}. @internal */
  get ports(): ConversationPorts {
    const { mls, identity, store, clock, random, times } = this.#parts
    return {
      mls,
      identity,
      store,
      clock,
      random,
      times,
      publish: (bytes, sealFor) => this.#publish(bytes, sealFor),
      emit: (event) => this.#onEvent(event),
    }
  }

  /** Begins to receive, for a group. @internal */
  async attach(engine: Conversation): Promise<void> {
    this.#engine = engine
    this.#attached.resolve(engine)
    const { address } = engine
    if (this.record.kind === 'pair' || !address) return
    await this.#parts.carrier.listen({
      id: this.id,
      address,
      keys: newestOf(engine.inboxKeys()),
      handler: async ({ bytes }) => void (await engine.receive(bytes)),
    })
    this.#isListening = true
    // the group may have gone on, or ended, while relays were asked
    this.#setKeys(engine.inboxKeys())
  }

  /** 32 hex digits. */
  get id(): string {
    return toHex(this.engine.id).slice(2)
  }

  get kind(): 'pair' | 'group' {
    return this.record.kind
  }

  /** Contact code of the other one of a pair. */
  get peer(): string | undefined {
    return this.record.peer && encodeContactCode(fromHex(this.record.peer))
  }

  /** Whether somebody may write here: the other one of a pair; of a group, the engine knows whom. @internal */
  isWith(inboxKey: Uint8Array): boolean {
    const { peer } = this.record
    return this.kind === 'group' || peer === toHex(inboxKey)
  }

  get name(): string | undefined {
    return this.record.name
  }

  get ended(): 'removed' | 'left' | undefined {
    return this.engine.ended
  }

  /** Messages that are known of and missing. */
  get recovering(): number {
    return this.engine.recovering
  }

  /** For this folder. @internal */
  get engine(): Conversation {
    if (this.#engine) return this.#engine
    throw new MainframeError('INTERNAL', 'The conversation is not open yet')
  }

  /** Who is in it now, this client among them; empty after the end. */
  members(): MemberView[] {
    return this.engine.members()
  }

  /** The newest messages before one, oldest first; 50 unless told otherwise. */
  history(query?: { before?: string; limit?: number }): Promise<MessageView[]> {
    return this.engine.history(query)
  }

  /**
   * Sends text, or bytes of a kind from 256 on. Durable when it resolves; events tell how far it gets.
   * Throws `MESSAGE_TOO_LONG`, `VALIDATION_FAILED`.
   */
  send(body: string | Uint8Array, kind: number = BODY_KINDS.text): Promise<MessageView> {
    if (typeof body !== 'string' && kind < 256) {
      throw new MainframeError(
        'VALIDATION_FAILED',
        'Bytes take a kind from 256 on; text takes none',
      )
    }
    return this.engine.send(typeof body === 'string' ? utf8(body) : body, { kind })
  }

  /** Says something that nobody keeps, such as that one is typing: at most 4096 bytes. */
  whisper(kind: number, body: Uint8Array): Promise<void> {
    return this.engine.whisper(kind, body)
  }

  /** Asks that a member be removed. Admins of groups only. */
  remove(inboxKey: Uint8Array): Promise<void> {
    return this.engine.remove(inboxKey)
  }

  /** Asks for another role of a member. Admins of groups only. */
  setRole(inboxKey: Uint8Array, role: Role): Promise<void> {
    return this.engine.setRole(inboxKey, role)
  }

  /** Asks to be removed; an event tells when that is done. */
  leave(): Promise<void> {
    return this.engine.leave()
  }

  /** Ends timers. */
  close(): Promise<void> {
    return this.engine.close()
  }

  async #publish(bytes: Uint8Array, sealFor: Uint8Array): Promise<void> {
    const engine = await this.#attached.promise
    const { carrier } = this.#parts
    if (this.record.kind === 'pair') {
      const letter = encodeLetter({ kind: 'talk', conversationId: engine.id, bytes })
      const { accepted, delivered } = await carrier.send(fromHex(this.record.peer ?? '0x'), letter)
      // whether it arrived is seen by what the other one says: a loss is repaired by the conversation
      delivered.catch(() => {})
      await accepted
      return
    }
    const { address } = engine
    if (!address || engine.members().length < 2) return
    const { accepted } = await carrier.publish({ address, publicKey: sealFor }, bytes)
    await accepted
  }

  #onEvent(event: ConversationEvent): void {
    switch (event.type) {
      case 'welcome':
        this.#callbacks.onWelcome(this, event)
        break
      case 'inbox-keys':
        if (this.#isListening) this.#setKeys(event.keys)
        break
      case 'aside':
        void this.#sayAside(event)
        break
      case 'trouble':
        this.#callbacks.onTrouble(event.error)
        break
      default:
        void this.#attached.promise.then(() => this.#callbacks.onEvent(this, event))
    }
  }

  /** May be lost: who asks asks again. */
  async #sayAside({ to, bytes }: Extract<ConversationEvent, { type: 'aside' }>): Promise<void> {
    const { id } = await this.#attached.promise
    const letter = encodeLetter({ kind: 'aside', conversationId: id, bytes })
    try {
      const { accepted, delivered } = await this.#parts.carrier.send(to, letter)
      delivered.catch(() => {})
      await accepted
    } catch (error) {
      this.#callbacks.onTrouble(error)
    }
  }

  #setKeys(keys: readonly InboxKey[]): void {
    if (keys.length > 0) this.#parts.carrier.rekey(this.id, newestOf(keys))
    else void this.#leaveInbox()
  }

  async #leaveInbox(): Promise<void> {
    this.#isListening = false
    try {
      await this.#parts.carrier.leave(this.id)
    } catch (error) {
      this.#callbacks.onTrouble(error)
    }
  }
}

export type WelcomeEvent = Extract<ConversationEvent, { type: 'welcome' }>
/** What applications hear of a conversation. */
export type PublicEvent = Exclude<
  ConversationEvent,
  { type: 'welcome' } | { type: 'aside' } | { type: 'inbox-keys' } | { type: 'trouble' }
>

/** Called in order. */
export interface ConversationCallbacks {
  onEvent(conversation: OpenConversation, event: PublicEvent): void
  onWelcome(conversation: OpenConversation, welcome: WelcomeEvent): void
  onTrouble(error: unknown): void
}

function newestOf(keys: readonly InboxKey[]): InboxKey[] {
  return keys.slice(0, MOST_KEYS)
}
