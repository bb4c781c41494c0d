/** A network in memory for messengers: letters to inboxes, and groups that hear what is sealed for them. */
import { createKeyPair, equalBytes, type KeyPair, toHex } from '@mainframe/protocol'
import { type Clock, systemClock } from '../../../sdk/src/clock.ts'
import { CONVERSATION_TIMES } from '../../../sdk/src/conversations/limits.ts'
import type { Carrier, GroupListening, Received } from '../../../sdk/src/messenger/carrier.ts'
import type { LetterOutcome } from '../../../sdk/src/messenger/contacts.ts'
import type { MessengerEvent } from '../../../sdk/src/messenger/events.ts'
import { Messenger } from '../../../sdk/src/messenger/messenger.ts'
import type { SuiteName } from '../../../sdk/src/mls/ciphersuite.ts'
import { systemRandom } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import type { Store } from '../../../sdk/src/store/store.ts'

/** Tests wait for what happens, not for what an application would put up with. */
const TIMES = {
  ...CONVERSATION_TIMES.local,
  syncMs: 20,
  askMs: 20,
  giveMs: 10,
  showMs: 20,
  batchMs: 5,
}

interface Listener {
  address: string
  publicKeys: Set<string>
  handler: GroupListening['handler']
}

export interface SentLetter {
  from: Uint8Array
  to: Uint8Array
  bytes: Uint8Array
}

export class PostOffice {
  readonly #boxes = new Map<string, Set<(message: Received) => Promise<void>>>()
  readonly #groups = new Map<string, Listener>()
  /** Letters that came through, oldest first. */
  readonly letters: SentLetter[] = []
  /** Packets of groups, each for one key. */
  published = 0

  /** Delivers a letter as if its sender had written `from`. */
  async deliver({ from, to, bytes }: SentLetter): Promise<void> {
    this.letters.push({ from, to, bytes })
    for (const handler of this.#boxes.get(toHex(to)) ?? []) await handler({ from, bytes })
  }

  lettersTo({ keyPair }: Person): SentLetter[] {
    return this.letters.filter(({ to }) => equalBytes(to, keyPair.publicKey))
  }

  carrier({ publicKey }: KeyPair): Carrier {
    const own = toHex(publicKey)
    return {
      inboxKey: publicKey,
      send: async (to, bytes) => {
        const delivered = turn().then(() => this.deliver({ from: publicKey, to, bytes }))
        delivered.catch(() => {})
        return { accepted: Promise.resolve(), delivered }
      },
      publish: async (to, bytes) => {
        this.published += 1
        const [address, key] = [toHex(to.address), toHex(to.publicKey)]
        for (const [name, listener] of this.#groups) {
          const isHeard = listener.address === address && listener.publicKeys.has(key)
          if (isHeard && !name.startsWith(own))
            void turn().then(() => listener.handler({ bytes }).catch(() => {}))
        }
        return { accepted: Promise.resolve() }
      },
      onMessage: (handler) => {
        const handlers = this.#boxes.get(own) ?? new Set()
        this.#boxes.set(own, handlers.add(handler))
        return () => handlers.delete(handler)
      },
      listen: async ({ id, address, keys, handler }) => {
        this.#groups.set(`${own} ${id}`, {
          address: toHex(address),
          publicKeys: namesOf(keys),
          handler,
        })
      },
      rekey: (id, keys) => {
        const listener = this.#groups.get(`${own} ${id}`)
        if (listener) listener.publicKeys = namesOf(keys)
      },
      leave: async (id) => void this.#groups.delete(`${own} ${id}`),
    }
  }
}

/** A person with a messenger that can be closed and opened again. */
export class Person {
  readonly keyPair = createKeyPair()
  readonly office: PostOffice
  store: Store = memoryStore()
  readonly events: MessengerEvent[] = []
  readonly #options: { suite: SuiteName; clock: Clock }
  #messenger: Messenger | undefined
  #wake = Promise.withResolvers<void>()

  constructor(office: PostOffice, options: { suite?: SuiteName; clock?: Clock } = {}) {
    this.office = office
    this.#options = { suite: 'x25519', clock: systemClock, ...options }
  }

  get messenger(): Messenger {
    if (!this.#messenger) throw new TypeError('The messenger is not open')
    return this.#messenger
  }

  async open(): Promise<this> {
    this.#messenger = await Messenger.open({
      carrier: this.office.carrier(this.keyPair),
      store: this.store,
      random: systemRandom,
      times: TIMES,
      ...this.#options,
    })
    this.#messenger.on((event) => {
      this.events.push(event)
      this.#wake.resolve()
      this.#wake = Promise.withResolvers()
    })
    return this
  }

  async close(): Promise<void> {
    await this.#messenger?.close()
    this.#messenger = undefined
  }

  get code(): string {
    return this.messenger.code
  }

  /** Waits for an event that fits, from the beginning; a test ends by its time-out where none comes. */
  async until<T extends MessengerEvent['type']>(
    type: T,
    fits: (event: Extract<MessengerEvent, { type: T }>) => boolean = () => true,
  ): Promise<Extract<MessengerEvent, { type: T }>> {
    for (;;) {
      for (const event of this.events) {
        if (event.type !== type) continue
        const found = event as Extract<MessengerEvent, { type: T }>
        if (fits(found)) return found
      }
      await this.#wake.promise
    }
  }

  /** Waits until a letter had this outcome. */
  async counts(outcome: LetterOutcome): Promise<void> {
    while (!this.messenger.counts.has(outcome)) await turn()
  }

  /** Waits for a text. */
  async hears(text: string) {
    return await this.until('message', ({ message }) => textOf(message.body) === text)
  }
}

export function textOf(body: Uint8Array): string {
  return new TextDecoder().decode(body)
}

/** Two who have accepted each other. */
export async function introduce(asking: Person, asked: Person): Promise<void> {
  await asking.messenger.contacts.request(asked.code, { introduction: 'It is me' })
  await asked.until('contact', ({ contact }) => contact.code === asking.code)
  await asked.messenger.contacts.accept(asking.code)
  await asking.until('contact', ({ contact }) => {
    return contact.code === asked.code && contact.state === 'accepted'
  })
}

function namesOf(keys: readonly KeyPair[]): Set<string> {
  return new Set(keys.map(({ publicKey }) => toHex(publicKey)))
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
