/** One relay of a network in memory: everything of it is real but chain, disk, sockets and chance. */
import assert from 'node:assert/strict'
import {
  BASE_PER_UNIT,
  type ByteStream,
  type ChannelRow,
  type Hex,
  type KeyPair,
  openPacket,
  secretKeyAccount,
  toHex,
} from '@mainframe/protocol'
import type { Directory, RelayEntry } from '../../../node/src/chain/directory.ts'
import { Subscriptions } from '../../../node/src/holding/subscriptions.ts'
import { IncomingLinks } from '../../../node/src/links/incoming.ts'
import { createQuoter } from '../../../node/src/links/own-quote.ts'
import { PeerLink } from '../../../node/src/links/peer-link.ts'
import { CreditLedger } from '../../../node/src/payments/credit-ledger.ts'
import { Releases } from '../../../node/src/payments/releases.ts'
import type { PacketOutcome } from '../../../node/src/routing/outcomes.ts'
import { createView, type OverlayView } from '../../../node/src/routing/overlay.ts'
import { type Dispatch, type PacketLink, Router } from '../../../node/src/routing/router.ts'
import type { Arrival } from '../../../node/src/routing/rule.ts'
import { SeenMemory } from '../../../node/src/routing/seen.ts'
import { primitives } from '../../../protocol/src/crypto/native.ts'
import { openChannel } from './memory-channels.ts'
import { MemoryHolds, MemoryReleases, MemoryVouchers } from './memory-holds.ts'
import { CHAIN_ID, CHANNELS, NOTICE_SECONDS, TOKEN, WINDOW_UNITS } from './memory-terms.ts'
import { PRICES } from './rule-world.ts'
import type { Seeded } from './seeded.ts'

/** What is special about a relay. */
export interface RelayTraits {
  /** Its registered seal key is another one: it cannot open what is for it. */
  isBlind?: boolean
  /** A fault, to see whether a test notices it; it knows whether this relay opens a packet. */
  fault?: (opens: (packet: Uint8Array) => boolean) => Fault
}

/** What a faulty relay does instead. */
export interface Fault {
  receive?(router: Router, arrival: Arrival): PacketOutcome
  ship?(dispatch: Dispatch, send: () => boolean): boolean
  /** False to leave a packet out of the store. */
  holds?(packet: Uint8Array): boolean
}

const DOMAIN = { chainId: BigInt(CHAIN_ID), contract: CHANNELS }
const MAX_WINDOW_UNITS = 2 * WINDOW_UNITS
const MEDIUM = {
  token: toHex(TOKEN),
  baseUnitsPerUnit: BASE_PER_UNIT,
  minDepositBase: BASE_PER_UNIT,
}
const RATES = new Map([[MEDIUM.token, MEDIUM.baseUnitsPerUnit]])

export class MemoryRelay {
  readonly name: string
  /** What senders seal for, whether or not this relay can open it. */
  readonly sealKey: KeyPair
  readonly address: Uint8Array
  readonly payee: Uint8Array
  readonly channels = new Map<Hex, ChannelRow>()
  readonly incoming: IncomingLinks
  readonly router: Router
  readonly entry: RelayEntry
  readonly #secretKey: Uint8Array
  readonly #fault: Fault
  readonly #links = new Map<string, PacketLink>()
  readonly #abort = new AbortController()
  #view: OverlayView | undefined

  constructor(name: string, random: Seeded, { isBlind = false, fault }: RelayTraits) {
    this.name = name
    const nodeSeed = random.bytes(32)
    this.#secretKey = random.bytes(32)
    this.payee = secretKeyAccount(this.#secretKey)
    this.address = random.bytes(32)
    this.sealKey = random.keyPair()
    const otherKey = random.keyPair()
    const usedKey = isBlind ? otherKey : this.sealKey
    this.#fault = fault?.((packet) => openPacket(packet, usedKey) !== 'unopened') ?? {}
    this.entry = this.#entry(primitives.ed25519PublicKey(nodeSeed))
    const holds = new MemoryHolds(1_000)
    this.router = this.#router(random, { holds, sealKey: usedKey })
    this.incoming = this.#incoming(nodeSeed, holds)
  }

  /** Learns of the other relays. */
  join(relays: readonly MemoryRelay[], luminosity: number): void {
    this.#view = createView(
      this.address,
      luminosity,
      relays.map(({ entry }) => entry),
    )
  }

  /** Pays another relay over a stream, and routes over it. */
  async dial(to: MemoryRelay, stream: ByteStream): Promise<void> {
    const { signal } = this.#abort
    const channel = openChannel({ secretKey: this.#secretKey }, to)
    const same = async () => channel
    const channels = { ensure: same, topUp: same, isLow: () => false, leave: () => {} }
    const network = { open: async () => stream }
    const payWith = [toHex(TOKEN)]
    const options = { network, channels, router: this.router, domain: DOMAIN, payWith, retryMs: 50 }
    const peer = await PeerLink.open(to.entry, { ...options, boardPrices: () => PRICES }, signal)
    const ship = this.#fault.ship ?? ((_, send: () => boolean) => send())
    this.#links.set(to.entry.peerKey, {
      relay: to.entry,
      prices: peer.prices,
      canTake: (postageUnits) => peer.canTake(postageUnits),
      ship: (dispatch) => ship(dispatch, () => peer.ship(dispatch)),
    })
    await peer.serve(signal)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.router.stop()
    await this.incoming.stop()
  }

  #entry(nodeKey: Uint8Array): RelayEntry {
    const peerKey = toHex(nodeKey)
    const row = {} as RelayEntry['row'] // nothing that runs here looks at the chain's row
    const { address, sealKey } = this
    const nodeId = nodeKey
    return {
      nodeId,
      row,
      nodeKey,
      address,
      sealKey: sealKey.publicKey,
      multiaddrs: [],
      prices: PRICES,
      rates: RATES,
      peerKey,
    }
  }

  #router(random: Seeded, { holds, sealKey }: { holds: MemoryHolds; sealKey: KeyPair }): Router {
    return new Router({
      view: () => this.#view,
      prices: () => PRICES,
      links: () => this.#links,
      holds: {
        get hasRoom() {
          return holds.hasRoom
        },
        append: (packet, header) => {
          if (this.#fault.holds?.(packet) ?? true) holds.append(packet, header)
        },
        flush: () => holds.flush(),
      },
      sealKeys: [sealKey],
      memory: {
        seen: new SeenMemory({ capacity: 10_000, keyBytes: 16 }),
        acted: new SeenMemory({ capacity: 10_000, keyBytes: 32 }),
        forgottenUntilMinutes: 0,
      },
      limits: { delayed: 1_000, owed: 1_000 },
      onFailure: (error) => assert.fail(String(error)),
      random: random.below,
      pad: random.pad,
    })
  }

  #incoming(nodeSeed: Uint8Array, holds: MemoryHolds): IncomingLinks {
    const receive = this.#fault.receive ?? ((router: Router, a: Arrival) => router.receive(a))
    return new IncomingLinks({
      chainId: CHAIN_ID,
      channels: CHANNELS,
      quotes: createQuoter({
        nodeSeed,
        domain: DOMAIN,
        payee: this.payee,
        media: [MEDIUM],
        maxWindowUnits: MAX_WINDOW_UNITS,
        noticeSeconds: NOTICE_SECONDS,
        confirmations: 0,
        self: () => ({
          nodeId: new Uint8Array(32),
          payee: this.payee,
          prices: PRICES,
          rates: RATES,
        }),
      }),
      ...this.#payments(),
      receive: (arrival) => receive(this.router, arrival),
      holds,
      subscriptions: new Subscriptions({ holds, limit: 10 }),
      onFailure: (error) => assert.fail(String(error)),
      onPeer: () => {},
      maxLinks: 100,
    })
  }

  #payments(): { ledger: CreditLedger; releases: Releases } {
    const directory: Directory = {
      relays: new Map(),
      channels: this.channels,
      earlierClaims: new Map(),
      epoch: undefined,
      confirmedBlock: 1,
      byPeerKey: () => undefined,
      subscribe: () => () => {},
    }
    const released = new MemoryReleases()
    const common = { directory, released, payee: toHex(this.payee), domain: DOMAIN }
    const ledger = new CreditLedger({
      ...common,
      viewAgeSeconds: () => 0,
      maxViewAgeSeconds: 1,
      vouchers: new MemoryVouchers(),
      terms: {
        media: [MEDIUM],
        minNoticeSeconds: NOTICE_SECONDS,
        maxWindowUnits: MAX_WINDOW_UNITS,
      },
    })
    const releases = new Releases({ ...common, ledger, payeeSecret: this.#secretKey })
    return { ledger, releases }
  }
}
