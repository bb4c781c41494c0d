/** A conversation: an MLS group of two or of many, with a history that its members keep together. */
import { MainframeError } from '@mainframe/protocol'
import { createGroup } from '../mls/group.ts'
import type { OwnKeyPackage } from '../mls/key-packages.ts'
import { randomBytes } from '../random.ts'
import {
  type Core,
  count,
  createCore,
  groupOf,
  memberViews,
  NEW_META,
  publish,
  readMeta,
  writeMeta,
} from './core.ts'
import { enter, isOurs } from './enter.ts'
import { encodeGroupData } from './group-data.ts'
import { Lifecycle } from './lifecycle.ts'
import { CONVERSATION_ID_BYTES, MAX_WHISPER_BYTES } from './limits.ts'
import type { Role } from './payloads.ts'
import type { ConversationPorts, InboxKey, MemberView, MessageView } from './ports.ts'
import { type Parts, receive } from './receiver.ts'
import { Recovery } from './recovery.ts'
import { conversationIds, joinParts, SHELF_KEYS, shelfOf, splitParts } from './shelf.ts'
import { Shows } from './shows.ts'
import { Speaker } from './speaker.ts'
import { Stewardship } from './stewardship.ts'
import { Talk } from './talk.ts'
import { Whereabouts } from './whereabouts.ts'

export class Conversation {
  readonly #core: Core
  readonly #parts: Parts
  readonly #life: Lifecycle

  private constructor(core: Core) {
    this.#core = core
    const recovery = new Recovery(core)
    const shows = new Shows(core)
    const whereabouts = new Whereabouts(core, {
      show: (after) => shows.want(after),
      comeBack: (state, commit) => this.#life.comeBack(state, commit),
      end: (reason) => this.#life.end(reason),
    })
    const speaker = new Speaker(core, whereabouts)
    this.#parts = {
      whereabouts,
      speaker,
      recovery,
      shows,
      talk: new Talk(core, speaker, recovery),
      stewardship: new Stewardship(core, async (epoch) => {
        await this.#life.adopt(epoch)
        if (!core.epochs.head) return
        whereabouts.vouchForHead()
        speaker.remind()
      }),
      adopt: (commit) => this.#life.adopt(commit),
      rechoose: () => this.#life.rechoose(),
      end: (reason) => this.#life.end(reason),
    }
    this.#life = new Lifecycle(core, this.#parts)
  }

  /** A new conversation of one; `invite` brings in others. */
  static async create(ports: ConversationPorts, own: OwnKeyPackage): Promise<Conversation> {
    const id = randomBytes(CONVERSATION_ID_BYTES)
    const core = createCore(ports, id, { ...NEW_META, updatedAtMs: ports.clock.now() })
    const data = { address: randomBytes(32), admins: [ports.identity.inboxKey] }
    const groupData = encodeGroupData(data)
    const state = await createGroup(ports.mls, { groupId: id, own, groupData })
    const conversation = new Conversation(core)
    await core.serial.vital(() => conversation.#life.begin(state, { floor: 0, former: [] }))
    return conversation
  }

  /** Joins by a welcome; `undefined` when it is not valid, or not for this key package. */
  static async join(
    ports: ConversationPorts,
    input: { welcome: Uint8Array; own: OwnKeyPackage },
  ): Promise<Conversation | undefined> {
    const entered = await enter(ports.mls, input)
    if (!entered) return undefined
    const { state, data } = entered
    const { floor } = data
    const meta = { ...NEW_META, floor, clock: floor, updatedAtMs: ports.clock.now() }
    const core = createCore(ports, state.groupId, meta)
    const conversation = new Conversation(core)
    const { keyPackage, secrets } = input.own
    await core.serial.vital(async () => {
      await core.shelf.set(SHELF_KEYS.keyPackage, joinParts(keyPackage, secrets))
      await conversation.#life.begin(state, data)
      conversation.#parts.speaker.owe()
    })
    return conversation
  }

  /** Ids of the conversations in a store, those that have ended too. */
  static list(store: ConversationPorts['store']): Promise<Uint8Array[]> {
    return conversationIds(store)
  }

  /** A conversation that is in the store. Throws `STORE_CORRUPT` when it is not, or is damaged. */
  static async open(ports: ConversationPorts, id: Uint8Array): Promise<Conversation> {
    const meta = await readMeta(shelfOf(ports.store, id))
    if (!meta) {
      throw new MainframeError(
        'STORE_CORRUPT',
        'The store holds no such conversation; restore it from a backup, or be invited again',
      )
    }
    const conversation = new Conversation(createCore(ports, id, meta))
    await conversation.#core.serial.vital(() => conversation.#life.load())
    return conversation
  }

  /** 16 bytes, which name the conversation in the store and to MLS. */
  get id(): Uint8Array {
    return this.#core.id
  }

  /** Address of the group's inbox, 32 bytes; `undefined` when the conversation has ended. */
  get address(): Uint8Array | undefined {
    return this.#core.epochs.head && groupOf(this.#core).data.address
  }

  get ended(): 'removed' | 'left' | undefined {
    return this.#core.meta.ended
  }

  /** How often each outcome of `receive` came up. */
  get counts(): ReadonlyMap<string, number> {
    return this.#core.counts
  }

  /** Number of the epoch; grows with every change of the group. */
  get epoch(): number | undefined {
    return this.#core.epochs.head?.epoch
  }

  members(): MemberView[] {
    return this.#core.epochs.head ? memberViews(this.#core) : []
  }

  /** What opens packets of the group's inbox: they are sealed for the first. */
  inboxKeys(): InboxKey[] {
    return this.#core.epochs.inboxKeys()
  }

  /** Lamport time up to which messages are from before this member joined. */
  get floor(): number {
    return this.#core.history.floor
  }

  /** How many messages are known of and missing. */
  get recovering(): number {
    return this.#core.history.missing().length
  }

  /**
   * Sends a message; durable when it resolves. Events tell how far it gets. `kind` says what the body
   * is, 0 for text. Throws `MESSAGE_TOO_LONG`, `VALIDATION_FAILED` after the end.
   */
  send(body: Uint8Array, { kind = 0 }: { kind?: number } = {}): Promise<MessageView> {
    return this.#active(async () => {
      const view = await this.#parts.talk.send(body, kind)
      this.#core.sinceUpdate++
      this.#life.planUpdate()
      return view
    })
  }

  /** Says something that nobody keeps or repeats, such as that one is typing. At most 4096 bytes. */
  whisper(kind: number, body: Uint8Array): Promise<void> {
    return this.#active(async () => {
      if (body.length > MAX_WHISPER_BYTES) {
        throw new MainframeError('MESSAGE_TOO_LONG', 'A whisper has at most 4096 bytes; send it')
      }
      await publish(this.#core, { kind: 'whisper', type: kind, body })
    })
  }

  /** Asks for a new member; an event brings the welcome to whoever commits. Admins only. */
  invite(keyPackage: Uint8Array, role: Role = 'member'): Promise<void> {
    return this.#active(() => this.#parts.stewardship.ask({ op: 'add', keyPackage, role }))
  }

  /** Asks that a member be removed. Admins only. */
  remove(inboxKey: Uint8Array): Promise<void> {
    return this.#active(() => this.#parts.stewardship.ask({ op: 'remove', inboxKey }))
  }

  /** Asks for another role of a member. Admins only. */
  setRole(inboxKey: Uint8Array, role: Role): Promise<void> {
    return this.#active(() => this.#parts.stewardship.ask({ op: 'role', inboxKey, role }))
  }

  /** Asks to be removed; an event tells when that is done. The last admin makes another one first. */
  leave(): Promise<void> {
    return this.#active(async () => {
      await writeMeta(this.#core, { isLeaving: true })
      await this.#life.pursueLeave()
    })
  }

  /** The newest messages before one, oldest first. */
  async history(query: { before?: string; limit?: number } = {}): Promise<MessageView[]> {
    const { before, limit = 50 } = query
    const all = this.#core.history.ordered()
    const place = before === undefined ? -1 : all.findIndex(({ id }) => id === before)
    const end = place < 0 ? all.length : place
    const page = all.slice(Math.max(0, end - limit), end)
    const messages = await Promise.all(page.map(({ id }) => this.#parts.talk.read(id)))
    return messages.flatMap((message) => (message ? [this.#parts.talk.viewOf(message)] : []))
  }

  /** Takes in what the network brings. When it resolves, what follows from it is durable. */
  receive(bytes: Uint8Array): Promise<string> {
    return this.#core.serial.vital(async () => {
      const outcome = await receive(this.#core, this.#parts, bytes)
      this.#life.planUpdate()
      return outcome
    })
  }

  /** Takes in what a member said one to one. When it resolves, what follows from it is durable. */
  receiveAside(from: Uint8Array, bytes: Uint8Array): Promise<string> {
    return this.#core.serial.vital(async () => {
      const outcome = await this.#parts.whereabouts.received(from, bytes)
      count(this.#core, outcome)
      return outcome
    })
  }

  /**
   * A further welcome into this conversation: the commit that brought us in has lost against a rival.
   * False when it is not valid, or from nobody whom we know here.
   */
  receiveWelcome(welcome: Uint8Array): Promise<boolean> {
    return this.#active(async () => {
      const record = await this.#core.shelf.get(SHELF_KEYS.keyPackage)
      const [keyPackage, secrets] = (record && splitParts(record, 2)) ?? []
      if (!keyPackage || !secrets) return false
      const own = { keyPackage, secrets }
      const entered = await enter(this.#core.ports.mls, { welcome, own })
      if (!entered || !isOurs(this.#core, entered.state)) return false
      await this.#life.begin(entered.state, entered.data)
      return true
    })
  }

  /** The welcome of an event has reached everybody whom it was for, or is with the network for good. */
  welcomeCarried(id: string): Promise<void> {
    return this.#core.serial.vital(() => this.#core.shelf.delete(SHELF_KEYS.welcome(id)))
  }

  /** Resolves when nothing is being worked on. */
  settled(): Promise<void> {
    return this.#core.serial.settled()
  }

  /** Ends timers and lets what runs finish. Nothing may be called afterwards. */
  close(): Promise<void> {
    return this.#core.serial.close()
  }

  /** Runs what a member does; refused when this client is none any more. */
  #active<T>(task: () => Promise<T>): Promise<T> {
    return this.#core.serial.vital(async () => {
      if (this.#core.epochs.head) return task()
      throw new MainframeError(
        'VALIDATION_FAILED',
        'The conversation has ended for this member; ask to be invited again',
      )
    })
  }
}
