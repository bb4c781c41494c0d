/** All conversations of a messenger: made, joined, opened again. */
import { fromHex, type Hex, MainframeError, toHex } from '@mainframe/protocol'
import { Conversation } from '../conversations/conversation.ts'
import { enter } from '../conversations/enter.ts'
import { type GroupMember, members } from '../mls/group.ts'
import { createKeyPackage, type OwnKeyPackage } from '../mls/key-packages.ts'
import { readJson, writeJson } from '../store/values.ts'
import type { MessengerParts } from './messenger-parts.ts'
import {
  type ConversationRecord,
  OpenConversation,
  type WelcomeEvent,
} from './open-conversation.ts'

const PREFIX = 'talk.'
/** Open at a time; groups have a limit of their own below. */
const MAX_CONVERSATIONS = 1_000

export type OnWelcome = (conversation: OpenConversation, welcome: WelcomeEvent) => void

export class Conversations {
  readonly #parts: MessengerParts
  readonly #onWelcome: OnWelcome
  readonly #open = new Map<string, OpenConversation>()

  constructor(parts: MessengerParts, onWelcome: OnWelcome) {
    this.#parts = parts
    this.#onWelcome = onWelcome
  }

  /** Opens everything in the store. Throws `STORE_CORRUPT`. */
  async start(): Promise<void> {
    const { store } = this.#parts
    for (const key of await store.list(PREFIX)) {
      const record = await readJson(store, key, parseRecord)
      if (!record) continue
      const handle = this.#handle(record)
      const engine = await Conversation.open(handle.ports, fromHex(`0x${key.slice(PREFIX.length)}`))
      await this.#attach(handle, engine)
    }
  }

  list(): OpenConversation[] {
    return [...this.#open.values()]
  }

  get(id: string): OpenConversation | undefined {
    return this.#open.get(id)
  }

  /** A conversation of one; others come by its engine's `invite`. */
  async create(record: ConversationRecord): Promise<OpenConversation> {
    this.#assertRoom()
    const { mls, identity } = this.#parts
    const handle = this.#handle(record)
    const engine = await Conversation.create(handle.ports, await createKeyPackage(mls, identity))
    await this.#keep(handle, engine)
    return handle
  }

  /**
   * Joins by a welcome; `undefined` when it is not for this key package, or leads elsewhere than
   * `isWanted` says: nothing is written then.
   */
  async join(
    record: ConversationRecord,
    { welcome, own }: { welcome: Uint8Array; own: OwnKeyPackage },
    isWanted: (joined: JoinedView) => boolean,
  ): Promise<OpenConversation | undefined> {
    this.#assertRoom()
    // looked at before anything is written: it could lead into a conversation that we have
    const entered = await enter(this.#parts.mls, { welcome, own })
    if (!entered) return undefined
    const id = toHex(entered.state.groupId).slice(2)
    const view = { id, members: members(entered.state) }
    if (this.#open.has(id) || !isWanted(view)) return undefined
    const handle = this.#handle(record)
    const engine = await Conversation.join(handle.ports, { welcome, own })
    if (!engine) return undefined
    await this.#keep(handle, engine)
    return handle
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
    await handle.attach(engine)
    this.#open.set(handle.id, handle)
  }

  #assertRoom(): void {
    if (this.#open.size < MAX_CONVERSATIONS) return
    const message = `A messenger has at most ${MAX_CONVERSATIONS} conversations; leave one`
    throw new MainframeError('VALIDATION_FAILED', message)
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
