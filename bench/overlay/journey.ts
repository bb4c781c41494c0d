/** One packet's journey through a simulated network. */
import {
  matchesPrefix,
  PACKET_REFUSALS,
  type PacketHeader,
  type PacketRefusal,
  type Shipment,
} from '@mainframe/protocol'
import type { PacketOutcome } from '../../node/src/routing/outcomes.ts'
import type { Dispatch } from '../../node/src/routing/router.ts'
import type { SimulatedNetwork, SimulatedRelay } from './network.ts'
import { Station } from './station.ts'

/** What travels, and what its sender attached. */
export interface Letter {
  packet: Uint8Array
  header: PacketHeader
  postageUnits: number
}

/** How a packet has fared up to now. */
export interface Travelled {
  /** Links from the entry relay to the first destination; `undefined` when none was reached. */
  hops: number | undefined
  /** Links from there to the destination that is farthest off. */
  depth: number
  /** Live relays that match, and how many of them hold the packet. */
  live: number
  reached: number
  /** Copies that came to them. */
  copies: number
}

interface Delivery {
  from: Station
  to: SimulatedRelay
  dispatch: Dispatch
}

export class Journey {
  readonly #letter: Letter
  readonly #network: SimulatedNetwork
  readonly #clock: { nowMs: number; random(n: number): number }
  readonly #stations = new Map<number, Station>()
  readonly #noticed: boolean
  #queue: Delivery[] = []
  #first: Station | undefined
  #depth = 0

  constructor(
    network: SimulatedNetwork,
    letter: Letter,
    clock: { nowMs: number; random(n: number): number },
    /** Whether every relay knows already who is dead. */
    noticed = false,
  ) {
    this.#noticed = noticed
    this.#network = network
    this.#letter = letter
    this.#clock = clock
  }

  /** A client hands the packet to its entry relay; all that follows at once happens. */
  start(entry: SimulatedRelay): void {
    const { packet, postageUnits } = this.#letter
    this.#receive(this.#stationOf(entry, 0), { packet, postageUnits, level: 0 })
    this.#run()
  }

  /** Relays that owe copies notice who is dead, link to others, and send what they kept. */
  notice(): void {
    for (;;) {
      const waiting = [...this.#stations.values()].filter(({ isWaiting }) => isWaiting)
      if (waiting.length === 0) return
      for (const station of waiting) station.notice()
      this.#run()
    }
  }

  get travelled(): Travelled {
    const { address, luminosity } = this.#letter.header
    const live = this.#network.relays
      .filter((relay) => !relay.dead && matchesPrefix(relay.address, address, luminosity))
      .map(({ index }) => this.#stations.get(index))
    return {
      hops: this.#first?.hops,
      depth: this.#depth,
      live: live.length,
      reached: live.filter((station) => station?.holds).length,
      copies: live.reduce((sum, station) => sum + (station?.copies ?? 0), 0),
    }
  }

  /** Ends the routers' timers. */
  stop(): void {
    for (const { router } of this.#stations.values()) router.stop()
  }

  #run(): void {
    while (this.#queue.length > 0) {
      for (const { from, to, dispatch } of this.#queue.splice(0)) {
        const outcome = this.#receive(this.#stationOf(to, from.hops + 1), dispatch)
        if (isRefusal(outcome)) from.router.onRefused(dispatch, to.peerKey, outcome)
      }
    }
  }

  #receive(station: Station, { packet, postageUnits, level }: Shipment): PacketOutcome {
    const account = { durableUnits: postageUnits, spentUnits: 0 }
    station.copies += 1
    const outcome = station.router.receive({ packet, postageUnits, level, account })
    station.rest()
    if (outcome === 'held') {
      this.#first ??= station
      this.#depth = Math.max(this.#depth, station.hops - this.#first.hops)
    }
    return outcome
  }

  #stationOf(relay: SimulatedRelay, hops: number): Station {
    const known = this.#stations.get(relay.index)
    if (known) return known
    const station: Station = new Station({
      network: this.#network,
      relay,
      hops,
      noticed: this.#noticed,
      ...this.#clock,
      onShip: (to, dispatch) => this.#queue.push({ from: station, to, dispatch }),
    })
    this.#stations.set(relay.index, station)
    return station
  }
}

function isRefusal(outcome: PacketOutcome): outcome is PacketRefusal {
  return (PACKET_REFUSALS as readonly string[]).includes(outcome)
}
