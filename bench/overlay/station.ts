/** A relay of the simulation that a packet came to: its router, and links that are function calls. */
import type { OverlayView } from '../../node/src/routing/overlay.ts'
import { type Dispatch, type PacketLink, Router } from '../../node/src/routing/router.ts'
import { SeenMemory } from '../../node/src/routing/seen.ts'
import {
  type Outlook,
  outlookOf,
  PRICES,
  type SimulatedNetwork,
  type SimulatedRelay,
} from './network.ts'

export interface StationOptions {
  network: SimulatedNetwork
  relay: SimulatedRelay
  /** Links between the entry relay and this one. */
  hops: number
  /** Whether it knows already who is dead. */
  noticed: boolean
  nowMs: number
  random(n: number): number
  /** A frame leaves for a peer. */
  onShip(to: SimulatedRelay, dispatch: Dispatch): void
}

export class Station {
  readonly relay: SimulatedRelay
  readonly hops: number
  readonly router: Router
  /** Copies that came here. */
  copies = 0
  /** Whether it holds the packet. */
  holds = false
  readonly #options: StationOptions
  #whole: Outlook | undefined
  #noticed: boolean
  #links: ReadonlyMap<string, PacketLink> | undefined

  constructor(options: StationOptions) {
    const { network, relay, hops, noticed, nowMs, random } = options
    this.#noticed = noticed
    this.#options = options
    this.relay = relay
    this.hops = hops
    const view = lazyView(network, relay, () => this.#outlook.view)
    this.router = new Router({
      view: () => view,
      prices: () => PRICES,
      links: () => this.#linksOfNow(),
      holds: { hasRoom: true, append: () => this.#hold(), flush: async () => {} },
      sealKeys: [], // nobody opens what nobody sealed
      memory: {
        seen: new SeenMemory({ capacity: 16, keyBytes: 16 }),
        acted: new SeenMemory({ capacity: 16, keyBytes: 32 }),
        forgottenUntilMinutes: 0,
      },
      limits: { delayed: 1, owed: network.relays.length },
      onFailure: () => {},
      random,
      now: () => nowMs,
    })
  }

  /** Whether it waits for peers of which it does not know yet that they are dead. */
  get isWaiting(): boolean {
    return !this.#noticed && this.router.owedCount > 0
  }

  /** Others take the places of dead peers, and get what was kept for their bin. */
  notice(): void {
    const before = this.#linksOfNow()
    this.#noticed = true
    this.#links = undefined
    for (const peerKey of this.#linksOfNow().keys()) {
      if (!before.has(peerKey)) this.router.onLinkUp(peerKey)
    }
  }

  /** Forgets the network: ten thousand stations with the whole of it each fill any memory. */
  rest(): void {
    if (!this.isWaiting) this.#whole = undefined
  }

  get #outlook(): Outlook {
    this.#whole ??= outlookOf(this.#options.network, this.relay)
    return this.#whole
  }

  #hold(): void {
    this.holds = true
  }

  #linksOfNow(): ReadonlyMap<string, PacketLink> {
    this.#links ??= this.#connect()
    return this.#links
  }

  #connect(): ReadonlyMap<string, PacketLink> {
    const { onShip } = this.#options
    const peers = this.#outlook.peers(this.#noticed)
    const link = (peer: SimulatedRelay): PacketLink => ({
      relay: peer,
      prices: PRICES,
      canTake: () => true,
      ship: (dispatch) => {
        onShip(peer, dispatch)
        return true
      },
    })
    return new Map(peers.map((peer) => [peer.peerKey, link(peer)]))
  }
}

/** Most copies end at a relay that needs to look at nobody but itself. */
function lazyView(
  { luminosity }: SimulatedNetwork,
  { address }: SimulatedRelay,
  whole: () => OverlayView<SimulatedRelay>,
): OverlayView<SimulatedRelay> {
  return {
    self: address,
    luminosity,
    linkLuminosity: luminosity,
    get others() {
      return whole().others
    },
    get members() {
      return whole().members
    },
  }
}
