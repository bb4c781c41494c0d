/** The inboxes of groups: listened to, given new keys, left. Each has relays and connections of its own. */
import { equalBytes, type Hex, type KeyPair, MainframeError } from '@mainframe/protocol'
import { Completed } from '../messages/completed.ts'
import type { MessageHandler, PublishedMessage } from '../messages/deliveries.ts'
import { groupReceiver } from '../messages/group.ts'
import { Keyring } from '../messages/keyring.ts'
import type { Receiver } from '../messages/receiver.ts'
import { scopedStore } from '../store/scoped-store.ts'
import type { Store } from '../store/store.ts'
import { Inbox } from './inbox.ts'
import type { InboxOptions } from './inbox-options.ts'

/** A group that this client is in. */
export interface GroupInbox {
  /** 1 to 64 lower-case letters, digits and dashes; names its part of the store. */
  id: string
  /** 32 random bytes, the same for the group's life. */
  address: Uint8Array
  /** The newest first, at most six. */
  keys: readonly KeyPair[]
  /** Gets what others published, one message at a time, and again while it rejects. */
  handler: MessageHandler<PublishedMessage>
}

/** What came of listening. */
export interface Listening {
  /** Resolves when everything that relays held at the start was delivered once. */
  caughtUp: Promise<void>
}

export interface GroupInboxesOptions
  extends Pick<
    InboxOptions,
    | 'directory'
    | 'deployment'
    | 'connect'
    | 'store'
    | 'clock'
    | 'random'
    | 'settings'
    | 'entry'
    | 'aside'
  > {
  /** Operators of the relays at which the person's inbox is. */
  personal(): ReadonlySet<Hex>
  /** A fragment of a message that we sent to a group is back. */
  onEcho(messageKey: string, index: number): void
  onHandlerError(error: unknown): void
}

/** Each keeps two connections and some megabytes of memory. */
export const MOST_GROUPS = 64
const ADDRESS_BYTES = 32
const ID = /^[a-z0-9-]{1,64}$/
const ADDRESS = 'address'

interface Open {
  address: Uint8Array
  keyring: Keyring
  completed: Completed
  receiver: Receiver<PublishedMessage>
  inbox: Inbox
}

export class GroupInboxes {
  readonly #options: GroupInboxesOptions
  readonly #open = new Map<string, Open>()
  /** Ids that are being opened or left. */
  readonly #busy = new Set<string>()
  #isClosed = false

  constructor(options: GroupInboxesOptions) {
    this.#options = options
  }

  /** Operators of the relays at which groups are. */
  get operators(): ReadonlySet<Hex> {
    return new Set([...this.#open.values()].flatMap(({ inbox }) => [...inbox.operators]))
  }

  /** How the subscriptions of each group are. */
  get states(): { id: string; relays: Inbox['relays'] }[] {
    return [...this.#open].map(([id, { inbox }]) => ({ id, relays: inbox.relays }))
  }

  /**
   * Begins to receive, from where it was before if the store knows the id. Throws `VALIDATION_FAILED`
   * (also for an id that is listened to, and for more than 64 groups), `NETWORK_CLOSED`, `STORE_CORRUPT`.
   */
  async listen(group: GroupInbox): Promise<Listening> {
    const { id, address, keys, handler } = group
    this.#assertFree(id, address)
    const keyring = new Keyring(keys)
    this.#busy.add(id)
    try {
      const open = await this.#create(group, keyring)
      this.#open.set(id, open)
      if (this.#isClosed) throw closed()
      open.receiver.handle(handler)
      await open.inbox.start()
      return { caughtUp: open.inbox.caughtUp }
    } catch (error) {
      await this.#end(id)
      throw error
    } finally {
      this.#busy.delete(id)
    }
  }

  /**
   * The keys of a new epoch, the newest first. Packets of late that no key opened are tried again
   * with those that are new. Throws `VALIDATION_FAILED`.
   */
  rekey(id: string, keys: readonly KeyPair[]): void {
    const { keyring, inbox } = this.#get(id)
    const added = keyring.replace(keys)
    if (added) inbox.tryAgain(added)
  }

  /**
   * Stops listening, if it did, and forgets everything that the store has of the group. Throws
   * `VALIDATION_FAILED`.
   */
  async leave(id: string): Promise<void> {
    assertId(id)
    if (this.#busy.has(id)) throw invalid(`The group "${id}" is being opened or left`)
    this.#busy.add(id)
    try {
      this.#open.get(id)?.receiver.abandon()
      await this.#end(id)
      const store = this.#storeOf(id)
      for (const key of await store.list('')) await store.delete(key)
    } finally {
      this.#busy.delete(id)
    }
  }

  /**
   * Whether this client listens at an address: then a message of its own is not handed to it, from now
   * on and also after a restart.
   */
  async willEcho(address: Uint8Array, messageKey: string): Promise<boolean> {
    const open = [...this.#open.values()].find((each) => equalBytes(each.address, address))
    await open?.completed.add(messageKey, this.#options.clock.now())
    return open !== undefined
  }

  /** Looks after the subscriptions of all groups; never rejects. */
  async check(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ inbox }) => inbox.check()))
  }

  /** Ends all connections; the store keeps where each group was. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#open.keys()].map((id) => this.#end(id)))
  }

  async #create({ id, address }: GroupInbox, keyring: Keyring): Promise<Open> {
    const { clock, onEcho, onHandlerError } = this.#options
    const store = this.#storeOf(id)
    await keepAddress(store, address)
    const completed = await Completed.open(store, clock.now())
    const receiver = groupReceiver({
      keyring,
      clock,
      completed,
      onEcho,
      onHandlerError,
      // a relay that cannot be asked now is resumed there when it is connected again
      onRoom: (relays) => void inbox.again(relays).catch(() => {}),
    })
    const others = () => this.#operatorsBut(id)
    const inbox: Inbox = new Inbox({ ...this.#options, store, address, receiver, others })
    return { address: address.slice(), keyring, completed, receiver, inbox }
  }

  async #end(id: string): Promise<void> {
    const open = this.#open.get(id)
    this.#open.delete(id)
    await open?.inbox.close()
    open?.receiver.close()
  }

  #storeOf(id: string): Store {
    return scopedStore(this.#options.store, `inbox.${id}.`)
  }

  #operatorsBut(id: string): ReadonlySet<Hex> {
    const others = [...this.#open].filter(([other]) => other !== id)
    const operators = others.flatMap(([, { inbox }]) => [...inbox.operators])
    return new Set([...this.#options.personal(), ...operators])
  }

  #get(id: string): Open {
    const open = this.#open.get(id)
    if (open) return open
    throw invalid(`There is no group "${id.slice(0, 64)}" that is listened to`)
  }

  #assertFree(id: string, address: Uint8Array): void {
    if (this.#isClosed) throw closed()
    assertId(id)
    if (address.length !== ADDRESS_BYTES) throw invalid('The address of a group is 32 bytes')
    if (this.#open.has(id) || this.#busy.has(id)) throw invalid(`The group "${id}" is open already`)
    if (this.#open.size + this.#busy.size < MOST_GROUPS) return
    throw invalid(`A client listens to at most ${MOST_GROUPS} groups; leave one`)
  }
}

/** Cursors belong to a prefix: an id stays with its address. */
async function keepAddress(store: Store, address: Uint8Array): Promise<void> {
  const known = await store.get(ADDRESS)
  if (!known) await store.set(ADDRESS, address)
  else if (!equalBytes(known, address)) {
    throw invalid(
      'The group has another address in the store; give it another id, or leave it first',
    )
  }
}

function assertId(id: string): void {
  if (ID.test(id)) return
  throw invalid('The id of a group is 1 to 64 lower-case letters, digits and dashes')
}

function invalid(sentence: string): MainframeError {
  return new MainframeError('VALIDATION_FAILED', sentence)
}

function closed(): MainframeError {
  return new MainframeError('NETWORK_CLOSED', 'The client was closed')
}
