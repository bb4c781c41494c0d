/** Messages of the history: sending, taking in, and who has them. */
import { MainframeError } from '@mainframe/protocol'
import { randomBytes } from '../random.ts'
import { type Core, count, headOf, othersOf, publish, tell } from './core.ts'
import { MAX_BODY_BYTES, MAX_LAMPORT, MAX_PARENTS } from './limits.ts'
import { decodeMessage, isSigned, type Message, signMessage } from './message.ts'
import type { Statement } from './payloads.ts'
import type { DeliveryView, MessageView } from './ports.ts'
import { nameOf, u48 } from './reader.ts'
import type { Recovery } from './recovery.ts'
import { SHELF_KEYS } from './shelf.ts'
import type { Speaker } from './speaker.ts'

export class Talk {
  readonly #core: Core
  readonly #speaker: Speaker
  readonly #recovery: Recovery

  constructor(core: Core, speaker: Speaker, recovery: Recovery) {
    this.#core = core
    this.#speaker = speaker
    this.#recovery = recovery
  }

  /** Durable when it resolves; then it goes out. Throws `MESSAGE_TOO_LONG`. */
  async send(body: Uint8Array, kind: number): Promise<MessageView> {
    if (body.length > MAX_BODY_BYTES) {
      throw new MainframeError(
        'MESSAGE_TOO_LONG',
        `The message has ${body.length} bytes, one can have ${MAX_BODY_BYTES}; send it in parts`,
        { details: { length: body.length, limit: MAX_BODY_BYTES } },
      )
    }
    const { history, ports, id } = this.#core
    const message = await signMessage(ports.mls, ports.identity, id, {
      salt: randomBytes(16),
      lamport: Math.min(history.clock + 1, MAX_LAMPORT),
      epochId: headOf(this.#core).id,
      isComplete: history.isComplete,
      kind,
      parents: history.heads(MAX_PARENTS),
      body,
    })
    // First that it is to go out: a message that is kept and not sent would never be missed.
    await this.#track(message.id)
    await this.#keep(message)
    const view = this.viewOf(message)
    tell(ports, { type: 'message', message: view, isAgain: false })
    await this.#publish(message)
    await this.#settle(message.id)
    return view
  }

  /** Own messages that the network had not accepted go out again, and those of lost branches anew. */
  async resume(): Promise<void> {
    for (const [id, { isAccepted }] of this.#core.outgoing) {
      const message = isAccepted ? undefined : await this.read(id)
      if (message) await this.#publish(message)
    }
    await this.resendLost()
  }

  /** Own messages whose epoch is in a branch that was given up are sent again under the same ids. */
  async resendLost(): Promise<void> {
    const { epochs, history, outgoing, ports, id } = this.#core
    const chain = new Set(epochs.chain.map((epoch) => epoch.id))
    for (const ref of [...outgoing.keys()]) {
      const entry = history.get(ref)
      if (!entry || chain.has(entry.epochId) || !epochs.get(entry.epochId)) continue
      const message = await this.read(ref)
      if (!message) continue
      // The parents stay, so that what followed it does not come before it.
      const again = await signMessage(ports.mls, ports.identity, id, {
        ...message,
        lamport: Math.min(history.clock + 1, MAX_LAMPORT),
        epochId: headOf(this.#core).id,
      })
      await this.#keep(again)
      tell(ports, { type: 'message', message: this.viewOf(again), isAgain: true })
      await this.#publish(again)
    }
  }

  async #publish(message: Message): Promise<void> {
    const { serial, ports } = this.#core
    const { accepted } = await publish(this.#core, { kind: 'message', bytes: message.bytes })
    if (message.isComplete) this.#speaker.spoke()
    this.#speaker.remind()
    void accepted.then((isAccepted) => {
      if (isAccepted) serial.vital(() => this.#accepted(message.id)).catch(() => {})
      else serial.later(ports.times.retryMs, () => this.#retry(message.id))
    })
  }

  async #retry(id: string): Promise<void> {
    const outgoing = this.#core.outgoing.get(id)
    const message = outgoing && !outgoing.isAccepted ? await this.read(id) : undefined
    if (message && this.#core.epochs.head) await this.#publish(message)
  }

  async #accepted(id: string): Promise<void> {
    const outgoing = this.#core.outgoing.get(id)
    if (!outgoing || outgoing.isAccepted) return
    outgoing.isAccepted = true
    await this.#core.shelf.set(SHELF_KEYS.outgoing(id), outgoingRecord(true, outgoing.sinceMs))
    this.#tellDelivery(id)
  }

  async #track(id: string): Promise<void> {
    const sinceMs = this.#core.ports.clock.now()
    await this.#core.shelf.set(SHELF_KEYS.outgoing(id), outgoingRecord(false, sinceMs))
    this.#core.outgoing.set(id, { isAccepted: false, to: new Set(), sinceMs })
  }

  /**
   * Takes in a message that came directly (`from` is the name of whoever sealed it) or was passed on.
   * The outcome has a name; the message is durable when it is `message`.
   */
  async take(bytes: Uint8Array, from: string | undefined): Promise<string> {
    const { history, id, people, ports } = this.#core
    const message = decodeMessage(id, bytes)
    if (!message) return 'message-malformed'
    const sender = nameOf(message.sender)
    if (from !== undefined && from !== sender) return 'message-forged'
    this.#recovery.seen(message)
    if (message.lamport <= history.floor) return 'message-before-joining'
    if (history.has(message)) return 'message-known'
    const keys = people.get(sender)?.signatureKeys ?? []
    let isGood = false
    for (const key of keys) isGood ||= await isSigned(ports.mls, id, message, key)
    if (!isGood) return keys.length > 0 ? 'message-unsigned' : 'message-stranger'
    const added = await this.#keep(message)
    tell(ports, { type: 'message', message: this.viewOf(message), isAgain: added === 'replaced' })
    if (message.isComplete) {
      await this.state(sender, { heads: [message], lacking: [], isCut: false })
    }
    this.#speaker.owe()
    this.#recovery.update()
    this.#core.sinceUpdate++
    return 'message'
  }

  /** Durable first, then known. */
  async #keep(message: Message) {
    const { history, shelf, ports } = this.#core
    const before = history.get(message.id)
    await shelf.set(SHELF_KEYS.message(message.lamport, message.id), message.bytes)
    const result = history.add(message, ports.clock.now())
    if (before && before.lamport !== message.lamport && result === 'replaced') {
      await shelf.delete(SHELF_KEYS.message(before.lamport, before.id))
    }
    return result
  }

  /** A member says what it has. */
  async state(name: string, statement: Statement): Promise<void> {
    this.#core.statements.set(name, statement)
    for (const id of this.#speaker.credit(name)) {
      this.#tellDelivery(id)
      await this.#settle(id)
    }
  }

  /** An own message that every member has needs no more care. */
  async #settle(id: string): Promise<void> {
    const outgoing = this.#core.outgoing.get(id)
    if (!outgoing || !audienceOf(this.#core, id).every((name) => outgoing.to.has(name))) return
    this.#core.outgoing.delete(id)
    await this.#core.shelf.delete(SHELF_KEYS.outgoing(id))
  }

  /** Members have changed: what everybody has is no longer of interest. */
  async settleAll(): Promise<void> {
    const others = othersOf(this.#core)
    for (const name of this.#core.statements.keys()) {
      if (!others.includes(name)) this.#core.statements.delete(name)
    }
    for (const id of [...this.#core.outgoing.keys()]) await this.#settle(id)
  }

  #tellDelivery(id: string): void {
    const delivery = this.deliveryOf(id)
    if (delivery) tell(this.#core.ports, { type: 'delivery', id, delivery })
  }

  deliveryOf(id: string): DeliveryView | undefined {
    const outgoing = this.#core.outgoing.get(id)
    if (!outgoing || !this.#core.epochs.head) return undefined
    const others = audienceOf(this.#core, id)
    const to = others.filter((name) => outgoing.to.has(name)).length
    const state = to > 0 ? 'delivered' : outgoing.isAccepted ? 'accepted' : 'queued'
    return { state, to, of: others.length }
  }

  async read(id: string): Promise<Message | undefined> {
    const entry = this.#core.history.get(id)
    const bytes = entry && (await this.#core.shelf.get(SHELF_KEYS.message(entry.lamport, entry.id)))
    if (!bytes) count(this.#core, 'message-unreadable')
    return bytes && decodeMessage(this.#core.id, bytes)
  }

  viewOf({ id, lamport, sender, kind, body }: Message): MessageView {
    const delivery = this.deliveryOf(id)
    const isOwn = nameOf(sender) === this.#core.self
    return { id, lamport, sender, isOwn, kind, body, ...(delivery && { delivery }) }
  }
}

/** Names of the others who are to have a message: those who joined later are not. */
function audienceOf(core: Core, id: string): string[] {
  const lamport = core.history.get(id)?.lamport ?? 0
  return othersOf(core).filter((name) => (core.people.get(name)?.floor ?? 0) < lamport)
}

/** What is stored of an own message on its way: whether it was accepted, and since when it waits. */
function outgoingRecord(isAccepted: boolean, sinceMs: number): Uint8Array {
  return Uint8Array.of(isAccepted ? 1 : 0, ...u48(sinceMs))
}
