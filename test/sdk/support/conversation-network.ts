/** Conversations with a network between them that loses, doubles, delays and parts as a seed wants. */
import assert from 'node:assert/strict'
import { createKeyPair, equalBytes } from '@mainframe/protocol'
import { Conversation } from '../../../sdk/src/conversations/conversation.ts'
import { CONVERSATION_TIMES } from '../../../sdk/src/conversations/limits.ts'
import type {
  ConversationEvent,
  ConversationPorts,
  DeliveryView,
} from '../../../sdk/src/conversations/ports.ts'
import { MOST_KEYS } from '../../../sdk/src/messages/keyring.ts'
import { createIdentity, type Identity } from '../../../sdk/src/mls/identity.ts'
import { createKeyPackage, type OwnKeyPackage } from '../../../sdk/src/mls/key-packages.ts'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import type { Random } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import type { Store } from '../../../sdk/src/store/store.ts'
import { type FakeClock, fakeClock } from './fake-clock.ts'

export interface NetworkFaults {
  /** Chances from 0 to 1. */
  loss: number
  doubling: number
  /** Longest delay of a copy, in milliseconds. */
  delayMs: number
}

interface Packet {
  bytes: Uint8Array
  sealFor: Uint8Array
}

/** Unopened packets that the inbox of a group keeps. */
const MOST_UNOPENED = 256

/** A client with one conversation. */
export class Peer {
  readonly name: string
  readonly identity: Identity
  readonly own: OwnKeyPackage
  readonly store: Store = memoryStore()
  readonly events: ConversationEvent[] = []
  readonly #network: ConversationNetwork
  conversation: Conversation | undefined
  /** Which side of a parted network it is on. */
  side = 0
  isDown = false
  /** Writes that still work before the client dies; for kills in the middle of something. */
  writesLeft = Number.POSITIVE_INFINITY

  constructor(network: ConversationNetwork, name: string, identity: Identity, own: OwnKeyPackage) {
    this.#network = network
    this.name = name
    this.identity = identity
    this.own = own
  }

  ports(): ConversationPorts {
    const { mls, clock, random } = this.#network
    const { store } = this
    const write = async (run: () => Promise<void>) => {
      if (this.writesLeft <= 0) throw new Error('killed')
      this.writesLeft--
      await run()
    }
    return {
      mls,
      clock,
      random,
      identity: this.identity,
      store: {
        get: (key) => store.get(key),
        list: (prefix) => store.list(prefix),
        set: (key, value) => write(() => store.set(key, value)),
        delete: (key) => write(() => store.delete(key)),
      },
      times: CONVERSATION_TIMES.local,
      publish: async (bytes, sealFor) => {
        if (this.writesLeft <= 0) throw new Error('killed')
        this.#network.publish(this, bytes, sealFor)
      },
      emit: (event) => {
        this.events.push(event)
        if (event.type === 'inbox-keys') this.#network.tryAgain(this)
        if (event.type === 'aside') this.#network.carryAside(this, event)
        if (event.type === 'welcome') this.#network.carry(this, event)
      },
    }
  }

  get active(): Conversation {
    assert.ok(this.conversation, `${this.name} has no conversation`)
    return this.conversation
  }

  /** The last that was told of a delivery. */
  delivery(id: string): DeliveryView | undefined {
    const told = this.events.findLast((event) => event.type === 'delivery' && event.id === id)
    return told?.type === 'delivery' ? told.delivery : undefined
  }

  /** Stops without a word, and opens again what the store has. */
  async restart(): Promise<void> {
    const { id } = this.active
    this.writesLeft = 0
    await this.active.close()
    if (!this.isDown) this.#network.forget(this)
    this.writesLeft = Number.POSITIVE_INFINITY
    this.isDown = false
    this.conversation = await Conversation.open(this.ports(), id)
    this.#network.redeliver(this)
  }
}

export class ConversationNetwork {
  readonly mls: Mls
  readonly clock: FakeClock
  readonly random: Random
  readonly peers: Peer[] = []
  /** Whether packets are sealed for an epoch's inbox key, as in groups, or reach any member. */
  isSealed = true
  faults: NetworkFaults = { loss: 0, doubling: 0, delayMs: 0 }
  /** Whether a copy gets lost, besides by chance. */
  isLost: (from: Peer, to: Peer, bytes: Uint8Array) => boolean = () => false
  /** Everything that was ever published. */
  readonly wire: { from: Peer; bytes: Uint8Array }[] = []
  /** What a peer has not acknowledged. */
  readonly #working = new Set<Promise<unknown>>()
  readonly #held = new Map<Peer, Set<Uint8Array>>()
  /** Packets that a peer had no key for. */
  readonly #unopened = new Map<Peer, Packet[]>()

  constructor(mls: Mls, random: Random) {
    this.mls = mls
    this.random = random
    this.clock = fakeClock(Date.UTC(2030, 0, 1), () => this.settled())
  }

  async peer(name: string): Promise<Peer> {
    const identity = await createIdentity(this.mls, createKeyPair().publicKey)
    const own = await createKeyPackage(this.mls, identity)
    const peer = new Peer(this, name, identity, own)
    this.peers.push(peer)
    this.#held.set(peer, new Set())
    return peer
  }

  /** A conversation with so many members, the first of whom made it. */
  async conversation(count: number, role: 'admin' | 'member' = 'member'): Promise<Peer[]> {
    const peers: Peer[] = []
    for (let i = 0; i < count; i++) peers.push(await this.peer(`peer ${i}`))
    const [first, ...others] = peers
    assert.ok(first)
    first.conversation = await Conversation.create(first.ports(), first.own)
    for (const other of others) await first.active.invite(other.own.keyPackage, role)
    await this.clock.pass(2000)
    for (const peer of peers) assert.equal(peer.active.members().length, count)
    return peers
  }

  /** Time passes until nobody has anything to do, at most so long. */
  pass(ms: number): Promise<void> {
    return this.clock.pass(ms)
  }

  async settled(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working)
    for (const { conversation } of this.peers) await conversation?.settled()
  }

  /** Waits for something when time is to pass; whether it fails is for others to see. */
  #track(work: Promise<unknown>): void {
    const done = work.catch(() => {}).finally(() => this.#working.delete(done))
    this.#working.add(done)
  }

  publish(from: Peer, bytes: Uint8Array, sealFor: Uint8Array): void {
    this.wire.push({ from, bytes })
    const packet = { bytes, sealFor }
    for (const to of this.peers) {
      const copies = this.random() < this.faults.doubling ? 2 : 1
      for (let i = 0; i < copies; i++) this.#send(from, to, packet)
    }
  }

  #send(from: Peer, to: Peer, packet: Packet): void {
    if (from !== to && (from.side !== to.side || this.isLost(from, to, packet.bytes))) return
    if (from !== to && this.random() < this.faults.loss) return
    this.clock.after(1 + Math.floor(this.random() * this.faults.delayMs), () =>
      this.#arrive(to, packet),
    )
  }

  /** Opens a packet with the keys that there are, as the inbox of a group does. */
  #arrive(to: Peer, packet: Packet): void {
    if (!to.conversation) return
    if (this.#canOpen(to, packet)) {
      this.#deliver(to, packet.bytes)
      return
    }
    const unopened = [...(this.#unopened.get(to) ?? []), packet]
    this.#unopened.set(to, unopened.slice(-MOST_UNOPENED))
  }

  #canOpen(to: Peer, { sealFor }: Packet): boolean {
    if (!this.isSealed) return true
    const keys = to.conversation?.inboxKeys().slice(0, MOST_KEYS) ?? []
    return keys.some(({ publicKey }) => equalBytes(publicKey, sealFor))
  }

  /** There are new keys. */
  tryAgain(to: Peer): void {
    const unopened = this.#unopened.get(to) ?? []
    this.#unopened.set(
      to,
      unopened.filter((packet) => !this.#canOpen(to, packet)),
    )
    for (const packet of unopened) if (this.#canOpen(to, packet)) this.#deliver(to, packet.bytes)
  }

  /** One to one, with the same faults; nothing is sealed for an epoch there. */
  carryAside(from: Peer, { to, bytes }: Extract<ConversationEvent, { type: 'aside' }>): void {
    const peer = this.peers.find(({ identity }) => equalBytes(identity.inboxKey, to))
    if (!peer || from.side !== peer.side || this.random() < this.faults.loss) return
    this.clock.after(1 + Math.floor(this.random() * this.faults.delayMs), () => {
      if (peer.isDown || !peer.conversation) return
      this.#track(peer.conversation.receiveAside(from.identity.inboxKey, bytes))
    })
  }

  /** Hands something over until it is acknowledged, as the layer below does. */
  #deliver(to: Peer, bytes: Uint8Array): void {
    const held = this.#held.get(to)
    if (!to.conversation) return
    held?.add(bytes)
    if (to.isDown) return
    to.conversation.receive(bytes).then(
      () => held?.delete(bytes),
      () => {},
    )
  }

  /** A client that dies forgets what it could not open; the relays have been told that it came. */
  forget(to: Peer): void {
    this.#unopened.delete(to)
  }

  redeliver(to: Peer): void {
    for (const bytes of this.#held.get(to) ?? []) this.#deliver(to, bytes)
  }

  /** Welcomes go one to one, and arrive in the end. */
  carry(from: Peer, event: Extract<ConversationEvent, { type: 'welcome' }>): void {
    const names = event.to.map((key) => Buffer.from(key).toString('hex'))
    const to = this.peers.filter(({ identity }) =>
      names.includes(Buffer.from(identity.inboxKey).toString('hex')),
    )
    this.clock.after(5 + Math.floor(this.random() * this.faults.delayMs), () => {
      for (const peer of to) this.#track(this.#welcome(peer, event.bytes))
      from.conversation?.welcomeCarried(event.id).catch(() => {})
    })
  }

  async #welcome(peer: Peer, welcome: Uint8Array): Promise<void> {
    if (peer.conversation && !peer.conversation.ended) {
      await peer.conversation.receiveWelcome(welcome)
      return
    }
    if (peer.conversation) return
    peer.conversation = await Conversation.join(peer.ports(), { welcome, own: peer.own })
  }
}

/** Text of a history, for comparisons. */
export async function texts(peer: Peer): Promise<string[]> {
  const messages = await peer.active.history({ limit: 10_000 })
  return messages.map(({ body }) => Buffer.from(body).toString())
}
