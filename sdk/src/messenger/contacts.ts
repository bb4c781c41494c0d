/** Who may write to us: requests, acceptances, safety numbers (docs/messenger.md, "Contacts"). */
import {
  decodeContactCode,
  digest,
  equalBytes,
  fromHex,
  MainframeError,
  toHex,
  utf8,
} from '@mainframe/protocol'
import { type ContactRecord, ContactRecords, isAnswered, withAnswered } from './contact-records.ts'
import { type Contact, contactOf, isKeyChanged } from './contact-views.ts'
import type { Conversations } from './conversations.ts'
import { encodeLetter, type Letter, MAX_INTRODUCTION_BYTES, type RequestLetter } from './letter.ts'
import type { MessengerParts } from './messenger-parts.ts'
import type { OpenConversation, WelcomeEvent } from './open-conversation.ts'
import { readRequest, writeRequest } from './requests.ts'
import { safetyNumber } from './safety-number.ts'

/** What became of a letter; counted, never told to its sender. */
export type LetterOutcome =
  | 'taken'
  | 'not-a-letter'
  | 'blocked'
  | 'no-work'
  | 'bad-key-package'
  | 'bad-signature'
  | 'too-many'
  | 'unexpected'
  | 'bad-proof'
  | 'bad-welcome'

/** Conversations with one contact that it begins by asking again, without our being asked. */
const MAX_BEGUN_BY_ONE = 8

type AcceptLetter = Extract<Letter, { kind: 'accept' }>

/** Who may write to us, who has asked, and who is blocked. */
export class Contacts {
  readonly #parts: MessengerParts
  readonly #conversations: Conversations
  readonly #records: ContactRecords
  /** Ends when everything that changes a record is done: a request that comes meanwhile waits. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    parts: MessengerParts,
    conversations: Conversations,
    records: ContactRecords,
  ) {
    this.#parts = parts
    this.#conversations = conversations
    this.#records = records
  }

  /** Throws `STORE_CORRUPT`. */
  static async open(parts: MessengerParts, conversations: Conversations): Promise<Contacts> {
    return new Contacts(parts, conversations, await ContactRecords.open(parts.store))
  }

  /** All of them, with those who have asked or are blocked. */
  list(): Contact[] {
    return this.#records.list().map(contactOf)
  }

  /** A contact by its code; `undefined` when there is none. */
  get(code: string): Contact | undefined {
    const record = this.#records.get(decodeContactCode(code))
    return record && contactOf(record)
  }

  /**
   * Asks somebody to be a contact, with a word on who we are (at most 280 bytes); again, if they have
   * not answered. Resolves when the request is on its way. Throws `CODEC_INVALID`, `VALIDATION_FAILED`,
   * and what sending throws.
   */
  async request(
    code: string,
    { introduction = '', signal }: { introduction?: string; signal?: AbortSignal } = {},
  ): Promise<Contact> {
    const { identity, clock } = this.#parts
    const inboxKey = decodeContactCode(code)
    if (equalBytes(inboxKey, identity.inboxKey)) throw invalid('This contact code is your own')
    if (utf8(introduction).length > MAX_INTRODUCTION_BYTES) {
      throw invalid(`An introduction has at most ${MAX_INTRODUCTION_BYTES} bytes; shorten it`)
    }
    const asked = { recipient: inboxKey, introduction }
    const { letter, secrets } = await writeRequest(this.#parts, asked, signal)
    return this.#inTurn(async () => {
      const known = this.#records.get(inboxKey)
      if (known?.state === 'asked') return this.#accept(known)
      if (known?.state === 'blocked') throw invalid('The contact is blocked; unblock it first')
      const record = await this.#put({
        ...(known ?? { inboxKey: toHex(inboxKey) }),
        state: known?.state === 'accepted' ? 'accepted' : 'requested',
        introduction,
        challenge: toHex(letter.challenge),
        keyPackage: toHex(letter.keyPackage),
        secrets: toHex(secrets),
        updatedAtMs: clock.now(),
      })
      await this.#send(inboxKey, letter)
      return contactOf(record)
    })
  }

  /** Takes a request: there is a conversation then. Throws `VALIDATION_FAILED` when there is none. */
  accept(code: string): Promise<Contact> {
    return this.#inTurn(async () => {
      const record = this.#records.get(decodeContactCode(code))
      if (record?.state === 'asked') return this.#accept(record)
      throw invalid('There is no request of this contact to be accepted')
    })
  }

  async #accept(record: ContactRecord): Promise<Contact> {
    const conversation = await this.#conversations.create({ kind: 'pair', peer: record.inboxKey })
    const { offeredKey, isVerified, ...rest } = record
    const isSameKey = offeredKey === record.signatureKey
    const keyPackage = fromHex(record.keyPackage ?? '0x')
    const accepted = await this.#put({
      ...rest,
      state: 'accepted',
      conversationId: toHex(conversation.engine.id),
      ...(offeredKey && { signatureKey: offeredKey }),
      ...(isVerified && isSameKey && { isVerified }),
      answered: withAnswered(record, keyPackage),
    })
    await conversation.engine.invite(keyPackage, 'admin')
    return contactOf(accepted)
  }

  /** Forgets a request; the one who asked is told nothing. A contact of before stays one. */
  refuse(code: string): Promise<void> {
    return this.#inTurn(async () => {
      const inboxKey = decodeContactCode(code)
      const record = this.#records.get(inboxKey)
      if (record?.state !== 'asked') return
      const { offeredKey: _, challenge: __, keyPackage: ___, ...rest } = record
      if (record.conversationId) await this.#put({ ...rest, state: 'accepted' })
      else await this.#records.delete(inboxKey)
    })
  }

  /** Whatever comes in their name is dropped from now on; they are told nothing. */
  async block(code: string): Promise<Contact> {
    const inboxKey = decodeContactCode(code)
    const known = this.#records.get(inboxKey)
    const blank = { inboxKey: toHex(inboxKey), updatedAtMs: this.#parts.clock.now() }
    return contactOf(await this.#put({ ...(known ?? blank), state: 'blocked' }))
  }

  /** What they were before, as far as there is a conversation; else a stranger. */
  async unblock(code: string): Promise<void> {
    const inboxKey = decodeContactCode(code)
    const record = this.#records.get(inboxKey)
    if (record?.state !== 'blocked') return
    if (record.conversationId) await this.#put({ ...record, state: 'accepted' })
    else await this.#records.delete(inboxKey)
  }

  /** Gives a contact a name of our own. */
  async rename(code: string, name: string): Promise<Contact> {
    return contactOf(await this.#put({ ...this.#known(code), name }))
  }

  /**
   * Sixty digits to compare over another channel; of the key in a request that waits, if there is one.
   * Throws `VALIDATION_FAILED` before a key is known.
   */
  safetyNumber(code: string): string {
    const { identity } = this.#parts
    const { inboxKey, offeredKey, signatureKey = offeredKey } = this.#known(code)
    if (!signatureKey) throw invalid('There is no safety number before the contact has answered')
    const key = fromHex(offeredKey ?? signatureKey)
    const other = { inboxKey: fromHex(inboxKey), signatureKey: key }
    return safetyNumber(identity, other)
  }

  /** The safety number was compared, and is the same. Throws `VALIDATION_FAILED` before an acceptance. */
  async verify(code: string): Promise<Contact> {
    const record = this.#known(code)
    if (record.state !== 'accepted') throw invalid('Accept the contact first, then verify it')
    return contactOf(await this.#put({ ...record, isVerified: true }))
  }

  /** Whether a signature key is believed to be an inbox's: of a contact, the one that was pinned. @internal */
  believes(inboxKey: Uint8Array, signatureKey: Uint8Array): boolean {
    const record = this.#records.get(inboxKey)
    if (!record?.signatureKey) return true
    return equalBytes(fromHex(record.signatureKey), signatureKey)
  }

  /** @internal */
  isBlocked(inboxKey: Uint8Array): boolean {
    return this.#records.get(inboxKey)?.state === 'blocked'
  }

  /** @internal */
  conversationWith(inboxKey: Uint8Array): OpenConversation | undefined {
    const id = this.#records.get(inboxKey)?.conversationId
    return id && this.#conversations.get(id.slice(2))
  }

  /** A stranger, or a contact with a new key, asks. @internal */
  onRequest(from: Uint8Array, letter: RequestLetter): Promise<LetterOutcome> {
    return this.#inTurn(() => this.#onRequest(from, letter))
  }

  async #onRequest(from: Uint8Array, letter: RequestLetter): Promise<LetterOutcome> {
    const { identity, hub, clock } = this.#parts
    const owner = await readRequest(this.#parts, from, letter)
    if (typeof owner === 'string') return owner
    const known = this.#records.get(from)
    // who repeats what we have answered is not its sender, who has no use for it
    if (known && isAnswered(known, letter.keyPackage)) return 'unexpected'
    if (!known && !this.#records.hasRoom) return 'too-many'
    const offeredKey = toHex(owner.signatureKey)
    const isOther = known !== undefined && isKeyChanged({ ...known, offeredKey })
    const isCrossed = known?.state === 'requested'
    // of two who ask each other at once, the one with the higher key accepts
    if (isCrossed && toHex(identity.inboxKey) < toHex(from)) return 'taken'
    // a contact asks again because it has not heard of our acceptance, or lost the conversation
    const isAnew = known?.state === 'accepted' && this.#countWith(from) < MAX_BEGUN_BY_ONE
    const mayAccept = !isOther && (isCrossed || isAnew)
    if (mayAccept && !this.#conversations.hasRoom('pair')) return 'too-many'
    const { secrets: _, ...rest } = known ?? { inboxKey: toHex(from) }
    const record = await this.#put({
      ...rest,
      state: 'asked',
      introduction: letter.introduction,
      offeredKey,
      challenge: toHex(letter.challenge),
      keyPackage: toHex(letter.keyPackage),
      updatedAtMs: clock.now(),
    })
    if (mayAccept) await this.#accept(record)
    else hub.emit({ type: 'contact', contact: contactOf(record) })
    return 'taken'
  }

  /** Somebody whom we asked accepts: who knows the challenge has read our request. @internal */
  onAccept(from: Uint8Array, letter: AcceptLetter): Promise<LetterOutcome> {
    return this.#inTurn(() => this.#onAccept(from, letter))
  }

  async #onAccept(from: Uint8Array, { proof, welcome }: AcceptLetter): Promise<LetterOutcome> {
    const record = this.#records.get(from)
    const { challenge, keyPackage, secrets } = record ?? {}
    if (!record || !challenge || !keyPackage || !secrets) return 'unexpected'
    const expected = proofOf(fromHex(challenge), welcome)
    // hashed once more, so that the time of comparing tells nothing
    if (!equalBytes(digest(proof), digest(expected))) return 'bad-proof'
    if (!this.#conversations.hasRoom('pair')) return 'too-many'
    const own = { keyPackage: fromHex(keyPackage), secrets: fromHex(secrets) }
    let signatureKey: Uint8Array | undefined
    const conversation = await this.#conversations.join(
      { kind: 'pair', peer: record.inboxKey },
      { welcome, own },
      ({ members }) => {
        const peer = members.find(({ inboxKey }) => equalBytes(inboxKey, from))
        signatureKey = peer?.signatureKey
        return peer !== undefined && members.length === 2
      },
    )
    if (!conversation || !signatureKey) return 'bad-welcome'
    const { challenge: _, keyPackage: __, secrets: ___, isVerified, ...rest } = record
    const isSameKey = record.signatureKey === toHex(signatureKey)
    const accepted = await this.#put({
      ...rest,
      state: 'accepted',
      conversationId: toHex(conversation.engine.id),
      signatureKey: toHex(signatureKey),
      ...(isVerified && isSameKey && { isVerified }),
    })
    this.#parts.hub.emit({ type: 'contact', contact: contactOf(accepted) })
    return 'taken'
  }

  /** The welcome into a conversation of two goes with the proof that we read the request. @internal */
  async carryWelcome({ record }: OpenConversation, { bytes }: WelcomeEvent): Promise<void> {
    const peer = fromHex(record.peer ?? '0x')
    const { challenge } = this.#records.get(peer) ?? {}
    if (!challenge) return
    const proof = proofOf(fromHex(challenge), bytes)
    const letter = encodeLetter({ kind: 'accept', proof, welcome: bytes })
    const { delivered } = await this.#parts.carrier.send(peer, letter)
    await delivered
  }

  #countWith(inboxKey: Uint8Array): number {
    const peer = toHex(inboxKey)
    return this.#conversations.list().filter(({ record }) => record.peer === peer).length
  }

  #known(code: string): ContactRecord {
    const record = this.#records.get(decodeContactCode(code))
    if (record) return record
    throw invalid('There is no such contact; send a request first')
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task)
    this.#last = done.catch(() => {})
    return done
  }

  async #put(record: ContactRecord): Promise<ContactRecord> {
    await this.#records.put(record)
    return record
  }

  async #send(inboxKey: Uint8Array, letter: Letter): Promise<void> {
    const { delivered } = await this.#parts.carrier.send(inboxKey, encodeLetter(letter))
    // an answer is a letter of its own; without one the user asks again
    delivered.catch(() => {})
  }
}

function proofOf(challenge: Uint8Array, welcome: Uint8Array): Uint8Array {
  return digest(utf8('mainframe/accept/1'), challenge, digest(welcome))
}

function invalid(sentence: string): MainframeError {
  return new MainframeError('VALIDATION_FAILED', sentence)
}
