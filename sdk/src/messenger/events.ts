/** What a messenger tells, to listeners and to loops. */
import { MainframeError } from '@mainframe/protocol'
import type { DeliveryView, MemberView, MessageView } from '../conversations/ports.ts'
import type { Contact } from './contact-views.ts'
import type { Invitation } from './invitation.ts'
import type { OpenConversation } from './open-conversation.ts'

/** What a messenger tells. */
export type MessengerEvent =
  /** Somebody asked, accepted, or has another key. */
  | { type: 'contact'; contact: Contact }
  | { type: 'conversation'; conversation: OpenConversation }
  | { type: 'invitation'; invitation: Invitation }
  /** `isAgain`: it was told before, and stands at another place in the history now. */
  | { type: 'message'; conversation: OpenConversation; message: MessageView; isAgain: boolean }
  | { type: 'delivery'; conversation: OpenConversation; id: string; delivery: DeliveryView }
  /** So many messages are known of and being recovered; 0 when none is any more. */
  | { type: 'recovering'; conversation: OpenConversation; count: number }
  | { type: 'lost'; conversation: OpenConversation; count: number }
  | { type: 'members'; conversation: OpenConversation; members: MemberView[] }
  | {
      type: 'whisper'
      conversation: OpenConversation
      sender: Uint8Array
      kind: number
      body: Uint8Array
    }
  | { type: 'ended'; conversation: OpenConversation; reason: 'removed' | 'left' }
  /** Something in the background failed; it is tried again, a conversation that did not open at the next start. */
  | { type: 'trouble'; error: unknown }

/** Events that a loop may leave unread. */
const MAX_UNREAD = 10_000
/** Troubles that wait for somebody who listens. */
const MAX_UNTOLD = 100

type Listener = (event: MessengerEvent) => void

export class EventHub {
  readonly #own: Listener
  readonly #listeners = new Set<Listener>()
  /** Of a start, which is over before anybody can listen. */
  readonly #untold: MessengerEvent[] = []

  /** `own` is the messenger itself, which hears everything. */
  constructor(own: Listener = () => {}) {
    this.#own = own
  }

  /** The first to listen is told of the troubles before, soon. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener)
    const untold = this.#untold.splice(0)
    queueMicrotask(() => {
      for (const event of untold) this.emit(event)
    })
    return () => this.#listeners.delete(listener)
  }

  /** A listener's mistake is none of the messenger's. */
  emit(event: MessengerEvent): void {
    const isUntold = event.type === 'trouble' && this.#listeners.size === 0
    if (isUntold && this.#untold.length < MAX_UNTOLD) this.#untold.push(event)
    for (const listener of [this.#own, ...this.#listeners]) {
      try {
        listener(event)
      } catch {
        // it is told of the next event all the same
      }
    }
  }

  /**
   * Events from this call on, until the signal is aborted. Throws `VALIDATION_FAILED` when 10,000 of
   * them wait to be read. What waits is bounded in number and not in bytes: each message of up to 1 MiB
   * is in memory until it is read, so take a loop that you mean to run.
   */
  events(signal: AbortSignal): AsyncGenerator<MessengerEvent, void, void> {
    const unread = new Unread()
    unread.stop = this.on((event) => unread.add(event))
    signal.addEventListener('abort', () => unread.end(), { once: true })
    if (signal.aborted) unread.end()
    return unread.read()
  }
}

/** What a loop has not taken yet. It listens before the loop begins, so that nothing is missed. */
class Unread {
  readonly #events: MessengerEvent[] = []
  #wake = Promise.withResolvers<void>()
  #isEnded = false
  #isTooSlow = false
  stop = () => {}

  add(event: MessengerEvent): void {
    if (this.#events.length === MAX_UNREAD) {
      this.#isTooSlow = true
      this.end()
    } else {
      this.#events.push(event)
      this.#wake.resolve()
    }
  }

  end(): void {
    this.stop()
    this.#isEnded = true
    this.#events.length = 0
    this.#wake.resolve()
  }

  async *read(): AsyncGenerator<MessengerEvent, void, void> {
    try {
      while (!this.#isEnded) {
        const event = this.#events.shift()
        if (event) {
          yield event
          continue
        }
        await this.#wake.promise
        this.#wake = Promise.withResolvers()
      }
      if (this.#isTooSlow) throw tooSlow()
    } finally {
      this.end()
    }
  }
}

function tooSlow(): MainframeError {
  const message = `More than ${MAX_UNREAD} events were not read; read on, and look into the histories`
  return new MainframeError('VALIDATION_FAILED', message)
}
