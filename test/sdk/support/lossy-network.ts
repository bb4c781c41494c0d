/** Two clients' message layers, and between them relays that lose what a test wants lost. */
import { createKeyPair, encodeContactCode, type Hex } from '@mainframe/protocol'
import { chooseHops } from '../../../sdk/src/directory/choose.ts'
import { createExperience, type Experience } from '../../../sdk/src/directory/experience.ts'
import type { Relay } from '../../../sdk/src/directory/relay.ts'
import { Completed } from '../../../sdk/src/messages/completed.ts'
import type { ReceivedMessage } from '../../../sdk/src/messages/deliveries.ts'
import { Outbox } from '../../../sdk/src/messages/outbox.ts'
import type { OutgoingMessage } from '../../../sdk/src/messages/outgoing.ts'
import type { Parcel, ParcelRefusal } from '../../../sdk/src/messages/parcel.ts'
import { decodePayload, fragmentCount } from '../../../sdk/src/messages/payload.ts'
import { personalReceiver } from '../../../sdk/src/messages/personal.ts'
import type { Receiver } from '../../../sdk/src/messages/receiver.ts'
import { pack } from '../../../sdk/src/network/packing.ts'
import { PROFILES } from '../../../sdk/src/profiles.ts'
import { type Random, randomBytes } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import type { Store } from '../../../sdk/src/store/store.ts'
import type { FakeClock } from './fake-clock.ts'
import { makeRelays, makeView } from './relays.ts'

/** A packet on its way, as a test may judge it. */
export interface Transit {
  from: string
  kind: 'data' | 'publication' | 'acknowledgement' | 'loop' | undefined
  path: readonly Hex[]
  /** Counts all packets from 0. */
  number: number
}

export interface NetworkOptions {
  clock: FakeClock
  random: Random
  relays?: number
  /** Whether a packet is lost on its way. */
  isLost?: (transit: Transit) => boolean
  /** What the entry relay says instead of taking a packet. */
  refuse?: (transit: Transit) => ParcelRefusal | undefined
  /** How long a packet is on its way. */
  latencyMs?: () => number
  /** Whether relays deliver everything twice, as two subscriptions do. */
  isDoubled?: boolean
}

export interface TestPeer {
  name: string
  contactCode: string
  publicKey: Uint8Array
  outbox: Outbox
  receiver: Receiver<ReceivedMessage>
  experience: Experience
  store: Store
  received: ReceivedMessage[]
  /** Off line: relays hold its packets. */
  isAway: boolean
  send(to: TestPeer, bytes: Uint8Array, options?: { timeoutMs?: number }): Promise<OutgoingMessage>
  /** Ends the process; a new one with the same store takes its place, and gets everything again. */
  restart(): Promise<void>
}

export class LossyNetwork {
  readonly #options: NetworkOptions
  readonly relays: Relay[]
  readonly #peers: { peer: TestPeer; inbox: { packet: Uint8Array; cursor: number }[] }[] = []
  /** Packets that were taken by an entry relay. */
  readonly carried: Transit[] = []
  #sent = 0

  constructor(options: NetworkOptions) {
    this.#options = options
    this.relays = makeRelays(options.relays ?? 8)
  }

  async join(
    name: string,
    handler: (message: ReceivedMessage) => Promise<void> = async () => {},
    ackDelayMs = 0,
  ): Promise<TestPeer> {
    const keyPair = createKeyPair()
    const store = memoryStore()
    const peer = { name, store, received: [], isAway: false } as unknown as TestPeer
    peer.contactCode = encodeContactCode(keyPair.publicKey)
    peer.publicKey = keyPair.publicKey
    const { clock, random } = this.#options
    const build = async () => {
      const experience = createExperience()
      const { retryMs, lastRetryMs, quietMs } = PROFILES.local
      const times = { firstMs: retryMs + 3 * ackDelayMs, lastMs: lastRetryMs, quietMs }
      const outbox = new Outbox({
        clock,
        random,
        experience,
        replyTo: keyPair.publicKey,
        times,
        carriage: { holdClass: '1d', hops: 3, delayMs: 0 },
        restMs: PROFILES.local.restMs,
        onWork: () => this.#pump(peer),
        onUnderpaid: () => {},
        onNothingBack: () => {},
      })
      const receiver = personalReceiver({
        keyPair,
        clock,
        random,
        completed: await Completed.open(store, clock.now()),
        ackDelayMs,
        quietMs: times.quietMs,
        acknowledge: (acknowledgement) => outbox.acknowledge(acknowledgement),
        onAcknowledgement: (acknowledgement) => outbox.onAcknowledgement(acknowledgement),
        onLoop: (token) => outbox.onLoop(token),
        onRoom: () => this.redeliver(peer),
        onHandlerError: () => {},
      })
      receiver.handle(async (message) => {
        await handler(message)
        peer.received.push(message)
      })
      Object.assign(peer, { outbox, receiver, experience })
    }
    await build()
    peer.send = (to, bytes, { timeoutMs = 24 * 3_600_000 } = {}) =>
      peer.outbox.send({
        to: to.publicKey,
        bytes,
        messageId: randomBytes(16),
        count: fragmentCount(bytes.length),
        holdClass: '1d',
        hops: 3,
        delayMs: 0,
        deadlineMs: clock.now() + timeoutMs,
        onProgress: undefined,
      })
    peer.restart = async () => {
      peer.receiver.close()
      await build()
      this.redeliver(peer)
    }
    this.#peers.push({ peer, inbox: [] })
    return peer
  }

  /** Gives a peer everything that is held for it, as a relay does after a subscription. */
  redeliver(peer: TestPeer): void {
    const inbox = this.#peers.find((entry) => entry.peer === peer)?.inbox ?? []
    const resumeAt = peer.receiver.resumeAt('relay') ?? 0
    for (const { packet, cursor } of inbox) {
      if (cursor > resumeAt) peer.receiver.receive(packet, 'relay', cursor)
    }
  }

  #pump(peer: TestPeer): void {
    for (let parcel = peer.outbox.next(); parcel; parcel = peer.outbox.next()) {
      this.#carry(peer, parcel)
    }
  }

  #carry(peer: TestPeer, parcel: Parcel): void {
    const { clock, random, isLost = () => false, refuse = () => undefined } = this.#options
    const { latencyMs = () => 40 } = this.#options
    const view = makeView(this.relays, 0, clock.now())
    const [entry] = this.relays
    if (!entry) return
    const weight = (nodeId: Hex) =>
      peer.experience.weight(nodeId, clock.now()) * parcel.bias(nodeId)
    const hops = chooseHops({ view, entry, count: parcel.hops, random, weight })
    const path = hops.map(({ nodeId }) => nodeId)
    const { kind } = decodePayload(parcel.message) ?? {}
    const transit = { from: peer.name, kind, path, number: this.#sent++ }
    const { packet } = pack(parcel, { view, hops: [], nowMs: clock.now(), random })
    parcel.shipped(path)
    const refusal = refuse(transit)
    if (refusal) {
      clock.after(5, () => parcel.refused(refusal))
      return
    }
    this.carried.push(transit)
    clock.after(5, () => parcel.accepted())
    if (!isLost(transit)) clock.after(5 + latencyMs(), () => this.#arrive(packet))
  }

  /** Everybody gets everything and tries to open it. */
  #arrive(packet: Uint8Array): void {
    for (const { peer, inbox } of this.#peers) {
      const cursor = inbox.length + 1
      inbox.push({ packet, cursor })
      if (peer.isAway) continue
      peer.receiver.receive(packet, 'relay', cursor)
      if (this.#options.isDoubled) peer.receiver.receive(packet, 'other relay', cursor)
    }
  }
}
