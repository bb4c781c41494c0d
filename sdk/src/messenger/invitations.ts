/** Invitations into groups: an offer, a key package in answer, a welcome (docs/messenger.md, "Groups"). */
import {
  concatBytes,
  decodeContactCode,
  encodeContactCode,
  equalBytes,
  errorCode,
  fromHex,
  type Hex,
  MainframeError,
  toHex,
} from '@mainframe/protocol'
import type { MessageView } from '../conversations/ports.ts'
import { createKeyPackage, readKeyPackage } from '../mls/key-packages.ts'
import { readJson, writeJson } from '../store/values.ts'
import type { Contacts, LetterOutcome } from './contacts.ts'
import type { Conversations } from './conversations.ts'
import type { Invitation } from './invitation.ts'
import { decodeText, encodeLetter } from './letter.ts'
import type { MessengerParts } from './messenger-parts.ts'
import type { OpenConversation, WelcomeEvent } from './open-conversation.ts'
import { BODY_KINDS } from './parts.ts'

interface Received {
  id: string
  name: string
  from: Hex
  /** Ids of the messages that offer it. */
  offers: string[]
  keyPackage?: Hex
  secrets?: Hex
}

const RECEIVED = 'invite.'
const SENT = 'invited.'
/** Ids of messages whose offers were refused: histories bring them again at every start. */
const REFUSED = 'refused-invitations'
const ID_BYTES = 16
const MAX_NAME_BYTES = 200
/** Invitations that wait for an answer. */
const MAX_RECEIVED = 100
/** Messages that offer the same place. */
const MAX_OFFERS = 16
const MAX_REFUSED = 1_000

export class Invitations {
  readonly #parts: MessengerParts
  readonly #conversations: Conversations
  readonly #contacts: Contacts
  readonly #received = new Map<string, Received>()
  /** The newest last. */
  #refused: string[] = []

  constructor(parts: MessengerParts, conversations: Conversations, contacts: Contacts) {
    this.#parts = parts
    this.#conversations = conversations
    this.#contacts = contacts
  }

  /** Throws `STORE_CORRUPT`. */
  async start(): Promise<void> {
    const { store } = this.#parts
    for (const key of await store.list(RECEIVED)) {
      const record = await readJson(store, key, parseReceived)
      if (record) this.#received.set(record.id, record)
    }
    this.#refused = (await readJson(store, REFUSED, parseIds)) ?? []
  }

  list(): Invitation[] {
    return [...this.#received.values()].map(invitationOf)
  }

  /** Offers a contact a place in a group; its admins may. Throws `VALIDATION_FAILED`. */
  async invite(group: OpenConversation, code: string): Promise<void> {
    if (group.kind !== 'group')
      throw invalid('A conversation of two takes nobody in; create a group')
    const inboxKey = decodeContactCode(code)
    const pair = this.#pairWith(inboxKey)
    const members = group.members()
    const roleOf = (key: Uint8Array) => members.find((each) => equalBytes(each.inboxKey, key))?.role
    if (roleOf(this.#parts.identity.inboxKey) !== 'admin')
      throw invalid('Only admins of a group invite; ask one of them')
    if (roleOf(inboxKey)) throw invalid('The contact is a member of the group already')
    const name = firstBytes(group.name ?? '', MAX_NAME_BYTES)
    await this.#parts.store.set(sentKey(group.id, inboxKey), Uint8Array.of(1))
    await pair.engine.send(bodyOf(group.id, name), { kind: BODY_KINDS.invitation })
  }

  /** Takes an invitation; an event brings the conversation once a welcome has come. */
  async accept(id: string): Promise<Invitation> {
    const record = this.#known(id)
    const pair = this.#pairWith(fromHex(record.from))
    this.#conversations.assertRoom('group')
    const { mls, identity } = this.#parts
    const { keyPackage, secrets } = await createKeyPackage(mls, identity)
    await this.#put({ ...record, keyPackage: toHex(keyPackage), secrets: toHex(secrets) })
    await pair.engine.send(bodyOf(id, keyPackage), { kind: BODY_KINDS.acceptance })
    return invitationOf(this.#known(id))
  }

  async refuse(id: string): Promise<void> {
    const { from, offers } = this.#known(id)
    this.#refused = [...this.#refused, ...offers].slice(-MAX_REFUSED)
    await writeJson(this.#parts.store, REFUSED, this.#refused)
    await this.#forget(id)
    const pair = this.#contacts.conversationWith(fromHex(from))
    await pair?.engine.send(bodyOf(id, new Uint8Array()), { kind: BODY_KINDS.refusal })
  }

  /** Messages of conversations of two that are about invitations; the same twice does nothing more. */
  async onMessage(pair: OpenConversation, message: MessageView): Promise<void> {
    const { kind, body, isOwn } = message
    if (pair.kind !== 'pair' || isOwn || body.length < ID_BYTES) return
    const id = toHex(body.subarray(0, ID_BYTES)).slice(2)
    const rest = body.slice(ID_BYTES)
    if (kind === BODY_KINDS.invitation)
      await this.#onInvitation(pair, id, { offer: message.id, bytes: rest })
    else if (kind === BODY_KINDS.acceptance) await this.#onAcceptance(pair, id, rest)
    else if (kind === BODY_KINDS.refusal) {
      await this.#parts.store.delete(sentKey(id, fromHex(pair.record.peer ?? '0x')))
    }
  }

  /** A welcome, from whichever member has committed. */
  async onWelcome(welcome: Uint8Array): Promise<LetterOutcome> {
    const hasRoom = this.#conversations.hasRoom('group')
    for (const { id, name, keyPackage, secrets } of this.#received.values()) {
      if (!keyPackage || !secrets || !hasRoom) continue
      const own = { keyPackage: fromHex(keyPackage), secrets: fromHex(secrets) }
      const record = { kind: 'group', name } as const
      const isWanted = (joined: { id: string }) => joined.id === id
      if (!(await this.#conversations.join(record, { welcome, own }, isWanted))) continue
      await this.#forget(id)
      return 'taken'
    }
    // the commit that brought us in has lost against a rival, and another one brings us in
    for (const group of this.#conversations.list()) {
      if (group.kind !== 'group' || group.ended) continue
      if (await group.engine.receiveWelcome(welcome)) return 'taken'
    }
    return hasRoom ? 'bad-welcome' : 'too-many'
  }

  /** Carries the welcome into a group to everybody whom the commit added. */
  async carryWelcome(_group: OpenConversation, { to, bytes }: WelcomeEvent): Promise<void> {
    const letter = encodeLetter({ kind: 'welcome', welcome: bytes })
    const carriages = await Promise.all(
      to.map((inboxKey) => this.#parts.carrier.send(inboxKey, letter)),
    )
    await Promise.all(carriages.map(({ delivered }) => delivered))
  }

  async #onInvitation(
    pair: OpenConversation,
    id: string,
    { offer, bytes }: { offer: string; bytes: Uint8Array },
  ): Promise<void> {
    const name = decodeText(bytes)
    if (name === undefined || bytes.length > MAX_NAME_BYTES) return
    if (this.#conversations.get(id) || this.#refused.includes(offer)) return
    const known = this.#received.get(id)
    if (known) {
      const isNew = !known.offers.includes(offer) && known.offers.length < MAX_OFFERS
      // whoever refuses, refuses all that were made
      if (isNew) await this.#put({ ...known, offers: [...known.offers, offer] })
      return
    }
    if (this.#received.size >= MAX_RECEIVED) return
    const record = await this.#put({ id, name, from: pair.record.peer ?? '0x', offers: [offer] })
    this.#parts.hub.emit({ type: 'invitation', invitation: invitationOf(record) })
  }

  async #onAcceptance(pair: OpenConversation, id: string, keyPackage: Uint8Array): Promise<void> {
    const { store, mls } = this.#parts
    const inboxKey = fromHex(pair.record.peer ?? '0x')
    const key = sentKey(id, inboxKey)
    const group = this.#conversations.get(id)
    if (!group || group.ended || !(await store.get(key))) return
    const owner = await readKeyPackage(mls, keyPackage)
    // each speaks for itself only
    if (!owner || !equalBytes(owner.inboxKey, inboxKey)) return
    try {
      await group.engine.invite(keyPackage)
    } catch (error) {
      // they are in by another admin, or we are none any more: there is nothing left to do
      if (errorCode(error) !== 'VALIDATION_FAILED') throw error
    }
    await store.delete(key)
  }

  #pairWith(inboxKey: Uint8Array): OpenConversation {
    const pair = this.#contacts.conversationWith(inboxKey)
    if (pair && !pair.ended) return pair
    throw invalid('Only contacts who have accepted can be invited; send a request first')
  }

  #known(id: string): Received {
    const record = this.#received.get(id)
    if (record) return record
    throw invalid('There is no such invitation')
  }

  async #put(record: Received): Promise<Received> {
    await writeJson(this.#parts.store, `${RECEIVED}${record.id}`, record)
    this.#received.set(record.id, record)
    return record
  }

  async #forget(id: string): Promise<void> {
    await this.#parts.store.delete(`${RECEIVED}${id}`)
    this.#received.delete(id)
  }
}

function sentKey(id: string, inboxKey: Uint8Array): string {
  return `${SENT}${id}.${toHex(inboxKey).slice(2)}`
}

function bodyOf(id: string, rest: Uint8Array): Uint8Array {
  return concatBytes(fromHex(`0x${id}`), rest)
}

function invitationOf({ id, name, from, keyPackage }: Received): Invitation {
  return { id, name, from: encodeContactCode(fromHex(from)), isAccepted: keyPackage !== undefined }
}

function parseReceived(value: unknown): Received | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, name, from, offers } = value as Partial<Record<keyof Received, unknown>>
  const isSound =
    typeof id === 'string' &&
    /^[0-9a-f]{32}$/.test(id) &&
    typeof name === 'string' &&
    typeof from === 'string' &&
    /^0x[0-9a-f]{64}$/.test(from) &&
    parseIds(offers) !== undefined
  return isSound ? (value as Received) : undefined
}

function parseIds(value: unknown): string[] | undefined {
  const isSound = Array.isArray(value) && value.every((id) => typeof id === 'string')
  return isSound ? value : undefined
}

function invalid(sentence: string): MainframeError {
  return new MainframeError('VALIDATION_FAILED', sentence)
}

/** As many whole characters as fit. */
function firstBytes(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written)
}
