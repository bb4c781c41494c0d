/** All conversations of a messenger: made, joined, opened again. */
import { fromHex, type Hex, MainframeError, toHex } from '@mainframe/protocol'
import { Conversation } from '../conversations/conversation.ts'
import { enter } from '../conversations/enter.ts'
import { type GroupMember, members } from '../mls/group.ts'
import { createKeyPackage, type OwnKeyPackage } from '../mls/key-packages.ts'
import { MOST_GROUPS } from '../network/group-inboxes.ts'
import { readJson, writeJson } from '../store/values.ts'
import type { MessengerParts } from './messenger-parts.ts'
import {
  type ConversationRecord,
  OpenConversation,
  type WelcomeEvent,
} from './open-conversation.ts'

const PREFIX = 'talk.'
/** Open at a time; of groups, those that are listened to. */
const MAX_CONVERSATIONS = 1_000

type Kind = ConversationRecord['kind']

export type OnWelcome = (conversation: OpenConversation, welcome: WelcomeEvent) => void

export class Conversations {
  readonly #parts: MessengerParts
  readonly #onWelcome: OnWelcome
  readonly #open = new Map<string, OpenConversation>()
  /** Being made or joined: they have a place already. */
  readonly #entering: Record<Kind, number> = { pair: 0, group: 0 }

  constructor(parts: MessengerParts, onWelcome: OnWelcome) {
    this.#parts = parts
    this.#onWelcome = onWelcome
  }

  /** Opens everything in the store. What cannot be opened is told as trouble, and left out. */
  async start(): Promise<void> {
    for (const key of await this.#parts.store.list(PREFIX)) {
      try {
        await this.#openStored(key)
      } catch (error) {
        this.#parts.hub.emit({ type: 'trouble', error })
      }
    }
  }

  async #openStored(key: string): Promise<void> {
    const record = await readJson(this.#parts.store, key, parseRecord)
    if (!record) return
    const handle = this.#handle(record)
    const engine = await Conversation.open(handle.ports, fromHex(`0x${key.slice(PREFIX.length)}`))
    await this.#attach(handle, engine)
  }

  list(): OpenConversation[] {
    return [...this.#open.values()]
  }

  get(id: string): OpenConversation | undefined {
    return this.#open.get(id)
  }

  /** Whether another one can be made or joined. */
  hasRoom(kind: Kind): boolean {
    const { pair, group } = this.#entering
    if (this.#open.size + pair + group >= MAX_CONVERSATIONS) return false
    if (kind === 'pair') return true
    const listened = this.list().filter((other) => other.kind === 'group' && !other.ended)
    return listened.length + group < MOST_GROUPS
  }

  /** Throws `VALIDATION_FAILED`. */
  assertRoom(kind: Kind): void {
    if (this.hasRoom(kind)) return
    const sentence =
      `A messenger has at most ${MAX_CONVERSATIONS} conversations, ` +
      `and at most ${MOST_GROUPS} groups at a time; leave one`
    throw new MainframeError('VALIDATION_FAILED', sentence)
  }

  /** A conversation of one; others come by its engine's `invite`. Throws `VALIDATION_FAILED`. */
  create(record: ConversationRecord): Promise<OpenConversation> {
    return this.#inPlace(record.kind, async () => {
      const { mls, identity } = this.#parts
      const handle = this.#handle(record)
      const engine = await Conversation.create(handle.ports, await createKeyPackage(mls, identity))
      await this.#keep(handle, engine)
      return handle
    })
  }

  /**
   * Joins by a welcome; `undefined` when it is not for this key package, or leads elsewhere than
   * `isWanted` says: nothing is written then. Throws `VALIDATION_FAILED` where there is no room.
   */
  join(
    record: ConversationRecord,
    { welcome, own }: { welcome: Uint8Array; own: OwnKeyPackage },
    isWanted: (joined: JoinedView) => boolean,
  ): Promise<OpenConversation | undefined> {
    return this.#inPlace(record.kind, async () => {
      // looked at before anything is written: it could lead into a conversation that we have
      const entered = await enter(this.#parts.mls, { welcome, own })
      if (!entered) return undefined
      const id = toHex(entered.state.groupId).slice(2)
      // one that could not be opened is in the store only
      if (await this.#parts.store.get(`${PREFIX}${id}`)) return undefined
      if (!isWanted({ id, members: members(entered.state) })) return undefined
      const handle = this.#handle(record)
      const engine = await Conversation.join(handle.ports, { welcome, own })
      if (!engine) return undefined
      await this.#keep(handle, engine)
      return handle
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.list().map((handle) => handle.close()))
  }

  #handle(record: ConversationRecord): OpenConversation {
    const { hub } = this.#parts
    return new OpenConversation(this.#parts, record, {
      onEvent: (conversation, event) => hub.emit({ ...event, conversation }),
      onWelcome: this.#onWelcome,
      onTrouble: (error) => hub.emit({ type: 'trouble', error }),
    })
  }

  async #keep(handle: OpenConversation, engine: Conversation): Promise<void> {
    const id = toHex(engine.id).slice(2)
    await writeJson(this.#parts.store, `${PREFIX}${id}`, handle.record)
    await this.#attach(handle, engine)
    this.#parts.hub.emit({ type: 'conversation', conversation: handle })
  }

  async #attach(handle: OpenConversation, engine: Conversation): Promise<void> {
    try {
      await handle.attach(engine)
    } catch (error) {
      await engine.close()
      throw error
    }
    this.#open.set(handle.id, handle)
  }

  async #inPlace<T>(kind: Kind, task: () => Promise<T>): Promise<T> {
    this.assertRoom(kind)
    this.#entering[kind]++
    try {
      return await task()
    } finally {
      this.#entering[kind]--
    }
  }
}

/** Where a welcome leads. */
export interface JoinedView {
  /** 32 hex digits. */
  id: string
  members: readonly GroupMember[]
}

function parseRecord(value: unknown): ConversationRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, peer, name } = value as Partial<Record<keyof ConversationRecord, unknown>>
  if (kind !== 'pair' && kind !== 'group') return undefined
  if (kind === 'pair' && !(typeof peer === 'string' && /^0x[0-9a-f]{64}$/.test(peer))) {
    return undefined
  }
  return {
    kind,
    ...(typeof peer === 'string' && { peer: peer as Hex }),
    ...(typeof name === 'string' && { name }),
  }
}
