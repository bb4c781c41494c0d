/** Routers with links as the overlay prescribes; a shipment arrives when the queue gets to it. */
import assert from 'node:assert/strict'
import { createKeyPair, sharedBits } from '@mainframe/protocol'
import type { PacketOutcome } from '../../../node/src/routing/outcomes.ts'
import { createView, type OverlayRelay } from '../../../node/src/routing/overlay.ts'
import { type Dispatch, type PacketLink, Router } from '../../../node/src/routing/router.ts'
import type { Account } from '../../../node/src/routing/rule.ts'
import { SeenMemory } from '../../../node/src/routing/seen.ts'
import { PRICES } from './rule-world.ts'
import { Seeded } from './seeded.ts'

const PEERS_PER_BIN = 4

export interface Member {
  relay: OverlayRelay
  router: Router
  links: Map<string, PacketLink>
  held: number
  received: number
  /** What became of each packet that came, and what it cost. */
  treated: { outcome: PacketOutcome; postageUnits: number; debitedUnits: number }[]
  /** What came in and what went out, in units. */
  incomeUnits: number
  spendingUnits: number
}

/**
 * What a link does with a shipment: takes it; is `down`; or `breaks` before, or after, the peer has
 * treated it, without an acknowledgement.
 */
export type LinkState = 'works' | 'down' | 'breaks' | 'breaks after'

export interface MeshOptions {
  luminosity: number
  seed: number
  /** Asked for every shipment; every link works unless told otherwise. */
  stateOf?: (from: Member, to: Member) => LinkState
  /** Relays that nobody keeps a link to. */
  isDead?: (relay: OverlayRelay) => boolean
}

type Sent = Pick<Dispatch, 'packet' | 'postageUnits' | 'level'>

export class Mesh {
  readonly members: Member[]
  readonly #queue: (() => void)[] = []
  readonly #random: Seeded
  readonly #stateOf: (from: Member, to: Member) => LinkState

  /** `seeds`: the first 32 bits of the relays' addresses. */
  constructor(seeds: readonly number[], options: MeshOptions) {
    const { luminosity, seed, stateOf = () => 'works', isDead = () => false } = options
    this.#random = new Seeded(seed)
    this.#stateOf = stateOf
    const relays = seeds.map((first) => {
      const address = new Uint8Array(32).fill(0x11)
      new DataView(address.buffer).setUint32(0, first)
      return { peerKey: `${first}`, address, prices: PRICES }
    })
    this.members = relays.map((relay) => this.#member(relay, relays, luminosity))
    const alive = this.members.filter(({ relay }) => !isDead(relay))
    for (const member of alive) this.#link(member, alive, luminosity)
  }

  /** Sends a packet from outside to a member and lets everything that follows happen. */
  send(to: Member, sent: Omit<Sent, 'level'> & { level?: number }): void {
    this.#deliver(to, { level: 0, ...sent })
    this.drain()
  }

  drain(): void {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next()
  }

  /** Copies that are still owed, by anybody. */
  get owed(): number {
    return this.members.reduce((sum, { router }) => sum + router.owedCount, 0)
  }

  stop(): void {
    for (const { router } of this.members) router.stop()
  }

  #deliver(to: Member, { packet, postageUnits, level }: Sent): void {
    const account: Account = { durableUnits: postageUnits, spentUnits: 0 }
    to.received += 1
    const outcome = to.router.receive({ packet, postageUnits, level, account })
    to.treated.push({ outcome, postageUnits, debitedUnits: account.spentUnits })
    to.incomeUnits += account.spentUnits
  }

  #member(relay: OverlayRelay, relays: readonly OverlayRelay[], luminosity: number): Member {
    const view = createView(relay.address, luminosity, relays)
    const links = new Map<string, PacketLink>()
    const router = new Router({
      view: () => view,
      prices: () => PRICES,
      links: () => links,
      holds: {
        hasRoom: true,
        append: () => {
          member.held += 1
        },
        flush: async () => {},
      },
      sealKeys: [createKeyPair()],
      memory: {
        seen: new SeenMemory({ capacity: 1_000, keyBytes: 16 }),
        acted: new SeenMemory({ capacity: 1_000, keyBytes: 32 }),
        forgottenUntilMinutes: 0,
      },
      limits: { delayed: 10, owed: 1_000 },
      onFailure: (error) => assert.fail(String(error)),
      random: this.#random.below,
    })
    const counts = { held: 0, received: 0, incomeUnits: 0, spendingUnits: 0 }
    const member: Member = { relay, router, links, treated: [], ...counts }
    return member
  }

  #link(member: Member, alive: readonly Member[], luminosity: number): void {
    const bins = new Map<number, Member[]>()
    for (const other of alive) {
      const shared = sharedBits(member.relay.address, other.relay.address)
      if (other === member) continue
      if (shared >= luminosity) this.#connect(member, other)
      else bins.set(shared, [...(bins.get(shared) ?? []), other])
    }
    for (const bin of bins.values()) {
      while (bin.length > PEERS_PER_BIN) bin.splice(this.#random.below(bin.length), 1)
      for (const other of bin) this.#connect(member, other)
    }
  }

  #connect(from: Member, to: Member): void {
    const { peerKey } = to.relay
    from.links.set(peerKey, {
      relay: to.relay,
      prices: PRICES,
      canTake: () => this.#stateOf(from, to) !== 'down',
      ship: (dispatch) => {
        const state = this.#stateOf(from, to)
        if (state === 'down') return false
        if (state !== 'breaks') {
          from.spendingUnits += dispatch.postageUnits
          this.#queue.push(() => this.#deliver(to, dispatch))
        }
        if (state !== 'works') this.#queue.push(() => from.router.onLost([dispatch], peerKey))
        return true
      },
    })
  }
}
