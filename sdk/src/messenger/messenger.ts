/** Private conversations for two and for many, over the network of a client. */
import { encodeContactCode, toHex } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { ConversationTimes } from '../conversations/limits.ts'
import type { SuiteName } from '../mls/ciphersuite.ts'
import { openMls } from '../mls/suites.ts'
import type { Random } from '../random.ts'
import type { Store } from '../store/store.ts'
import type { Carrier, Received } from './carrier.ts'
import { Contacts, type LetterOutcome } from './contacts.ts'
import { Conversations } from './conversations.ts'
import { EventHub, type MessengerEvent } from './events.ts'
import { readOrCreateIdentity } from './identity.ts'
import type { Invitation } from './invitation.ts'
import { Invitations } from './invitations.ts'
import { decodeLetter } from './letter.ts'
import type { MessengerParts } from './messenger-parts.ts'
import type { OpenConversation, WelcomeEvent } from './open-conversation.ts'

export interface MessengerOptions {
  carrier: Carrier
  /** An open store; the messenger keeps keys, contacts and histories in it. */
  store: Store
  clock: Clock
  random: Random
  times: ConversationTimes
  /** Ciphersuite of conversations: the hybrid one unless told otherwise. Both sides must have the same. */
  suite?: SuiteName
}

/** Messages of a conversation that are looked through for invitations at a start. */
const RESCANNED = 200

/** Contacts and private conversations of one inbox. */
export class Messenger {
  /** Who may write to us. */
  readonly contacts: Contacts
  readonly #parts: MessengerParts
  readonly #conversations: Conversations
  readonly #invitations: Invitations
  readonly #counts = new Map<LetterOutcome, number>()
  readonly #ended = new AbortController()
  #stopReceiving = () => {}

  private constructor(
    parts: MessengerParts,
    own: { contacts: Contacts; conversations: Conversations; invitations: Invitations },
  ) {
    this.#parts = parts
    this.contacts = own.contacts
    this.#conversations = own.conversations
    this.#invitations = own.invitations
  }

  /** Opens contacts and conversations, and begins to receive. Throws `STORE_CORRUPT`. */
  static async open(options: MessengerOptions): Promise<Messenger> {
    const { carrier, store, clock, random, times, suite = 'xwing' } = options
    // the parts know each other only by callbacks: none of them calls before all are there
    const late = {
      believes: (_inboxKey: Uint8Array, _signatureKey: Uint8Array) => true,
      onWelcome: (_conversation: OpenConversation, _welcome: WelcomeEvent) => {},
      onEvent: (_event: MessengerEvent) => {},
    }
    const mls = await openMls({ suite, authenticate: (...keys) => late.believes(...keys) })
    const identity = await readOrCreateIdentity(mls, store, carrier.inboxKey)
    const hub = new EventHub((event) => late.onEvent(event))
    const parts = { carrier, store, clock, random, times, mls, identity, hub }
    const conversations = new Conversations(parts, (...args) => late.onWelcome(...args))
    const contacts = await Contacts.open(parts, conversations)
    const invitations = new Invitations(parts, conversations, contacts)
    const messenger = new Messenger(parts, { contacts, conversations, invitations })
    late.believes = (inboxKey, signatureKey) => contacts.believes(inboxKey, signatureKey)
    late.onWelcome = (conversation, welcome) => void messenger.#carry(conversation, welcome)
    late.onEvent = (event) => void messenger.#onEvent(event)
    try {
      await messenger.#start()
    } catch (error) {
      await messenger.close()
      throw error
    }
    return messenger
  }

  /** Our contact code. */
  get code(): string {
    return encodeContactCode(this.#parts.identity.inboxKey)
  }

  /** How often each outcome of a letter came up. */
  get counts(): ReadonlyMap<LetterOutcome, number> {
    return this.#counts
  }

  /** Told of everything that happens from now on, and of troubles of the start. Returns how to stop. */
  on(listener: (event: MessengerEvent) => void): () => void {
    return this.#parts.hub.on(listener)
  }

  /**
   * The same as a loop; ends with the messenger or the signal. Throws `VALIDATION_FAILED` in a loop
   * that lets 10,000 events wait. They are not bounded in bytes: whoever asks for events and never
   * reads them keeps up to 10,000 messages of up to 1 MiB in memory.
   */
  events({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<MessengerEvent, void, void> {
    const signals = signal ? [signal, this.#ended.signal] : [this.#ended.signal]
    return this.#parts.hub.events(AbortSignal.any(signals))
  }

  /** All that are open, and those that have ended. */
  conversations(): OpenConversation[] {
    return this.#conversations.list()
  }

  /** A conversation by its id. */
  conversation(id: string): OpenConversation | undefined {
    return this.#conversations.get(id)
  }

  /** The conversation of two with a contact; `undefined` before it is accepted. */
  conversationWith(code: string): OpenConversation | undefined {
    const id = this.contacts.get(code)?.conversationId
    return id === undefined ? undefined : this.#conversations.get(id)
  }

  /** A group of one; then {@link invite} contacts. Throws `VALIDATION_FAILED` for more than 64 groups. */
  createGroup(name: string): Promise<OpenConversation> {
    return this.#conversations.create({ kind: 'group', name })
  }

  /** Offers a contact a place in a group; its admins may. Throws `VALIDATION_FAILED`. */
  invite(group: OpenConversation, code: string): Promise<void> {
    return this.#invitations.invite(group, code)
  }

  /** Offers of a place in a group that wait for an answer. */
  invitations(): Invitation[] {
    return this.#invitations.list()
  }

  /** Takes an invitation; an event brings the conversation. Throws `VALIDATION_FAILED`. */
  acceptInvitation(id: string): Promise<Invitation> {
    return this.#invitations.accept(id)
  }

  /** Leaves an offer; whoever made it is told. */
  refuseInvitation(id: string): Promise<void> {
    return this.#invitations.refuse(id)
  }

  /** Ends what runs; the store keeps everything. */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    this.#stopReceiving()
    await this.#conversations.close()
  }

  async #start(): Promise<void> {
    await this.#invitations.start()
    await this.#conversations.start()
    for (const conversation of this.#conversations.list()) {
      await this.#orTrouble(() => this.#rescan(conversation))
    }
    this.#stopReceiving = this.#parts.carrier.onMessage((message) => this.#receive(message))
  }

  /** What came before a crash and was not dealt with. */
  async #rescan(conversation: OpenConversation): Promise<void> {
    if (conversation.kind !== 'pair') return
    for (const message of await conversation.history({ limit: RESCANNED })) {
      await this.#orTrouble(() => this.#invitations.onMessage(conversation, message))
    }
  }

  async #onEvent(event: MessengerEvent): Promise<void> {
    if (event.type !== 'message') return
    await this.#orTrouble(() => this.#invitations.onMessage(event.conversation, event.message))
  }

  /** One thing that fails ends no other. */
  async #orTrouble(task: () => Promise<unknown>): Promise<void> {
    try {
      await task()
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#parts.hub.emit({ type: 'trouble', error })
    }
  }

  async #receive({ from, bytes }: Received): Promise<void> {
    const outcome = await this.#take(from, bytes)
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1)
  }

  async #take(from: Uint8Array, bytes: Uint8Array): Promise<LetterOutcome> {
    const letter = decodeLetter(bytes)
    if (!letter) return 'not-a-letter'
    if (this.contacts.isBlocked(from)) return 'blocked'
    switch (letter.kind) {
      case 'request':
        return this.contacts.onRequest(from, letter)
      case 'accept':
        return this.contacts.onAccept(from, letter)
      case 'welcome':
        return this.#invitations.onWelcome(letter.welcome)
      case 'talk': {
        const conversation = this.#conversations.get(toHex(letter.conversationId).slice(2))
        if (conversation?.kind !== 'pair' || !conversation.isWith(from)) return 'unexpected'
        await conversation.engine.receive(letter.bytes)
        return 'taken'
      }
      case 'aside': {
        const conversation = this.#conversations.get(toHex(letter.conversationId).slice(2))
        if (!conversation?.isWith(from)) return 'unexpected'
        // it may be lost, so it is not worth being brought again
        await this.#orTrouble(() => conversation.engine.receiveAside(from, letter.bytes))
        return 'taken'
      }
    }
  }

  /** Until it is with whoever it is for, or given up: then it is tried again at the next start. */
  async #carry(conversation: OpenConversation, welcome: WelcomeEvent): Promise<void> {
    await this.#orTrouble(async () => {
      const by = conversation.kind === 'pair' ? this.contacts : this.#invitations
      await by.carryWelcome(conversation, welcome)
      await conversation.engine.welcomeCarried(welcome.id)
    })
  }
}
