/** Relays in memory that speak the real link protocol, well or badly, as a test wants it. */
import { createHash } from 'node:crypto'
import {
  BASE_PER_UNIT,
  type ByteStream,
  CAUGHT_UP_FLAG,
  type Credit,
  type CreditOutcome,
  channelId,
  decodeCredit,
  decodeSubscribe,
  encodeAck,
  encodeHello,
  encodeReleaseAnswer,
  type Frame,
  FrameWriter,
  fromHex,
  type Hex,
  MainframeError,
  type PacketRefusal,
  type Quote,
  type ReleaseAnswer,
  readFrames,
  type Subscribe,
  signQuote,
  toHex,
} from '@mainframe/protocol'
import type { Relay } from '../../../sdk/src/directory/relay.ts'
import type { Connect } from '../../../sdk/src/network/host.ts'
import { domainOf } from '../../../sdk/src/payments/quote-check.ts'
import { duplexPair } from '../../protocol/support/duplex.ts'
import { createKeyPairSync } from './ed25519.ts'
import type { FakeMoney } from './fake-money.ts'
import { deployment } from './honest-indexer.ts'
import { makeRelay } from './relays.ts'

/** What a relay does; change it while it runs. */
export interface Manners {
  /** False: nobody can connect. */
  isAlive: boolean
  /** False: it accepts connections and says nothing. */
  answers: boolean
  /** Whether it sees deposits on chain. */
  seesDeposits: boolean
  quote: Partial<Quote>
  /** Changes the bytes of its HELLO's quote. */
  forge?: (signedQuote: Uint8Array) => Uint8Array
  judge?: (credit: Credit) => CreditOutcome | undefined
  refuse?: (frame: Frame) => PacketRefusal | undefined
  /** What it answers to who wants to end a channel; it ends the link where there is nothing. */
  release?: (request: Credit) => ReleaseAnswer
  /** False: it takes packets and never says so. */
  acknowledges: boolean
}

/** A held packet; the cursor is its place, from 1. */
export type Held = Uint8Array[]

export class FakeRelay {
  readonly relay: Relay
  readonly manners: Manners = {
    isAlive: true,
    answers: true,
    seesDeposits: true,
    quote: {},
    acknowledges: true,
  }
  /** Packets that were paid and taken. */
  readonly taken: Uint8Array[] = []
  readonly credits: Credit[] = []
  readonly wishes: Subscribe[] = []
  held: Held = []
  /** Connections that were asked for, refused ones included. */
  dials = 0
  readonly #links = new Set<RelayLink>()
  readonly #seed: Uint8Array
  readonly money: FakeMoney
  durableUnits = 0
  spentUnits = 0

  constructor(name: string, money: FakeMoney, changes: Partial<Relay> = {}) {
    const { seed, publicKey } = createKeyPairSync(createHash('sha256').update(name).digest())
    this.#seed = seed
    this.money = money
    this.relay = makeRelay(name, { nodeKey: publicKey, ...changes })
  }

  get links(): number {
    return this.#links.size
  }

  connect(): { stream: ByteStream; close(): Promise<void> } {
    this.dials += 1
    if (!this.manners.isAlive) {
      throw new MainframeError('NETWORK_NO_RELAY', 'unreachable', { retryable: true })
    }
    const [ours, theirs] = duplexPair()
    const link = new RelayLink(this, theirs)
    this.#links.add(link)
    void link.run().finally(() => this.#links.delete(link))
    return { stream: ours, close: async () => {} }
  }

  /** What a power cut does. */
  kill(): void {
    this.manners.isAlive = false
    for (const link of this.#links) link.cut()
  }

  /** Holds a packet and gives it to subscribers. */
  hold(packet: Uint8Array): void {
    this.held.push(packet)
    for (const link of this.#links) link.deliver()
  }

  signedQuote(): Uint8Array {
    const { prices, nodeId, payee } = this.relay
    const quote: Quote = {
      nodeId: fromHex(nodeId),
      payee: fromHex(payee),
      token: fromHex(deployment.token),
      routeUnits: prices?.routeUnits ?? 1,
      holdUnitsPerHour: prices?.holdUnitsPerHour ?? 1,
      minDepositBase: 10n ** 17n,
      noticeSeconds: 86_400,
      maxWindowUnits: 10_000_000,
      confirmations: 1,
      baseUnitsPerUnit: BASE_PER_UNIT,
      expiresAtSeconds: 4_000_000_000,
      ...this.manners.quote,
    }
    const signed = signQuote(this.#seed, quote, domainOf(deployment))
    return this.manners.forge?.(signed) ?? signed
  }

  judge(credit: Credit): CreditOutcome {
    const forced = this.manners.judge?.(credit)
    if (forced) return forced
    const payee = fromHex(this.relay.payee)
    const slot = this.money.slots.get(toHex(channelId({ ...credit, payee })))
    if (!this.manners.seesDeposits || !slot || slot.deposit === 0n) return 'unknown-channel'
    if (credit.epoch !== slot.epoch) return 'wrong-epoch'
    if (credit.amount > slot.deposit) return 'over-deposit'
    const units = Number(credit.amount / BASE_PER_UNIT)
    if (units <= this.durableUnits) return 'not-greater'
    this.durableUnits = units
    return 'accepted'
  }
}

class RelayLink {
  readonly #owner: FakeRelay
  readonly #stream: ByteStream
  readonly #writer: FrameWriter
  #processed = 0
  #creditSequence = 0
  #credit: CreditOutcome = 'accepted'
  #refused: { sequence: number; reason: PacketRefusal }[] = []
  #wish: Subscribe | undefined
  #delivered = 0

  constructor(owner: FakeRelay, stream: ByteStream) {
    this.#owner = owner
    this.#stream = stream
    this.#writer = new FrameWriter(stream)
  }

  async run(): Promise<void> {
    try {
      for await (const frames of readFrames(this.#stream)) {
        for (const frame of frames) {
          if (!frame || frame.type === 'bye') return
          this.#take(frame)
        }
        this.#acknowledge()
      }
    } catch {
      // cut off
    } finally {
      await this.#stream.close()
    }
  }

  cut(): void {
    this.#stream.abort(new MainframeError('NETWORK_CLOSED', 'power cut'))
  }

  deliver(): void {
    const { held } = this.#owner
    if (!this.#wish) return
    for (; this.#delivered < held.length; this.#delivered++) {
      const body = held[this.#delivered]
      const sequence = this.#delivered + 1
      if (body) this.#writer.write({ type: 'deliver', sequence, body })
    }
  }

  #take(frame: Frame): void {
    const owner = this.#owner
    if (!owner.manners.answers) return
    if (frame.type === 'hello') {
      const { chainId } = deployment
      const channels = fromHex(deployment.channels)
      const hello = { version: 1, chainId, channels, signedQuotes: [owner.signedQuote()] }
      this.#writer.write({ type: 'hello', body: encodeHello(hello) })
    } else if (frame.type === 'credit') this.#takeCredit(frame)
    else if (frame.type === 'packet') this.#takePacket(frame)
    else if (frame.type === 'subscribe') this.#subscribe(frame)
    else if (frame.type === 'release') this.#release(frame)
  }

  #takeCredit({ body, sequence }: Frame): void {
    const credit = decodeCredit(body)
    if (!credit) return
    this.#owner.credits.push(credit)
    this.#creditSequence = sequence
    this.#credit = this.#owner.judge(credit)
  }

  #takePacket(frame: Frame): void {
    const owner = this.#owner
    this.#processed = frame.sequence
    const isPaid = owner.durableUnits - owner.spentUnits >= frame.postageUnits
    const reason = owner.manners.refuse?.(frame) ?? (isPaid ? undefined : 'no-credit')
    if (reason) {
      this.#refused.push({ sequence: frame.sequence, reason })
      return
    }
    owner.spentUnits += frame.postageUnits
    owner.taken.push(frame.body)
  }

  #release({ body, sequence }: Frame): void {
    const request = decodeCredit(body)
    const answer = request && this.#owner.manners.release?.(request)
    if (answer) {
      this.#writer.write({ type: 'release', sequence, body: encodeReleaseAnswer(answer) })
    } else this.cut()
  }

  #subscribe({ body }: Frame): void {
    const wish = decodeSubscribe(body)
    if (!wish) return
    this.#owner.wishes.push(wish)
    this.#wish = wish
    this.#delivered = Math.min(wish.cursor, this.#owner.held.length)
    this.deliver()
    const sequence = this.#owner.held.length
    this.#writer.write({ type: 'deliver', flags: CAUGHT_UP_FLAG, sequence })
  }

  #acknowledge(): void {
    const { manners, spentUnits, durableUnits } = this.#owner
    if (!manners.acknowledges || !manners.answers) return
    const body = encodeAck({
      processed: this.#processed,
      spentUnits,
      durableUnits,
      creditSequence: this.#creditSequence,
      credit: this.#credit,
      refused: this.#refused.splice(0),
    })
    this.#writer.write({ type: 'ack', body })
  }
}

/** Connections by node id. */
export function connectTo(relays: readonly FakeRelay[]): Connect {
  const byId = new Map<Hex, FakeRelay>(relays.map((fake) => [fake.relay.nodeId, fake]))
  return async ({ nodeId }) => {
    const fake = byId.get(nodeId)
    if (!fake) throw new MainframeError('NETWORK_NO_RELAY', 'unknown', { retryable: true })
    return fake.connect()
  }
}
