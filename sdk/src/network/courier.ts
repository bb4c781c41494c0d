/** Packs parcels and hands them to the entry relay, as fast as credit and the relay allow. */
import { errorCode, type Hex, type PacketRefusal, type Shipment } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import { chooseHops } from '../directory/choose.ts'
import type { Directory } from '../directory/directory.ts'
import type { Experience } from '../directory/experience.ts'
import type { DirectoryView, Relay } from '../directory/relay.ts'
import type { Parcel, ParcelSource } from '../messages/parcel.ts'
import type { Random } from '../random.ts'
import { type Packing, pack, postageOf } from './packing.ts'

/** A packet with the parcel in it. */
export interface ParcelShipment extends Shipment {
  parcel: Parcel
}

/** The part of the entry connection that a courier needs. */
export interface EntrySide {
  /** The relay and its link while it is connected and funded. */
  readonly current: { relay: Relay; link: ShipmentTaker } | undefined
  /** Makes a connection if there is none; never rejects. */
  wake(): void
  /** The link can never prepay one packet of this postage. */
  outgrown(postageUnits: number): void
}

/** The part of a `PayerLink` that takes packets. */
export interface ShipmentTaker {
  readonly channel: { windowUnits: number } | undefined
  canTake(postageUnits: number): boolean
  enqueue(shipment: ParcelShipment): boolean
}

export interface CourierOptions {
  source: ParcelSource
  entry: EntrySide
  directory: Pick<Directory, 'fresh'>
  experience: Experience
  clock: Clock
  random: Random
  /** The directory cannot be had: nothing is sent until somebody wakes the courier again. */
  onDirectoryError(error: unknown): void
}

/** Packets with the entry relay and not acknowledged by it: enough to keep a link busy. */
const MOST_UNDER_WAY = 64
/** Packets packed in one go: about 10 ms of public-key work. */
const PACKED_AT_ONCE = 16

export class Courier {
  readonly #options: CourierOptions
  #underWay = 0
  #running = false
  #wanted = false
  #closed = false

  constructor(options: CourierOptions) {
    this.#options = options
  }

  /** Sends what there is, now or as soon as it can. */
  pump(): void {
    this.#wanted = true
    if (!this.#running && !this.#closed) void this.#run()
  }

  onAccepted({ parcel }: ParcelShipment): void {
    this.#underWay -= 1
    parcel.accepted()
    this.pump()
  }

  onRefused({ parcel }: ParcelShipment, reason: PacketRefusal): void {
    this.#underWay -= 1
    parcel.refused(reason)
    this.pump()
  }

  /** The link ended; what it had not sent, or was not answered for, is sent another way. */
  onLinkClosed(unacknowledged: readonly ParcelShipment[]): void {
    this.#underWay -= unacknowledged.length
    for (const { parcel } of unacknowledged) parcel.returned()
    this.pump()
  }

  close(): void {
    this.#closed = true
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#wanted && !this.#closed) {
        this.#wanted = false
        const view = await this.#options.directory.fresh()
        if (this.#sendSome(view)) this.#wanted = true
        await nextTurn()
      }
    } catch (error) {
      this.#options.onDirectoryError(error)
    } finally {
      this.#running = false
    }
  }

  /** Whether there may be more to send at once. */
  #sendSome(view: DirectoryView): boolean {
    for (let packed = 0; packed < PACKED_AT_ONCE; packed++) {
      if (this.#underWay >= MOST_UNDER_WAY || this.#closed) return false
      const parcel = this.#options.source.next()
      if (!parcel) return false
      if (!this.#sendOne(parcel, view)) return false
    }
    return true
  }

  #sendOne(parcel: Parcel, view: DirectoryView): boolean {
    const { entry, clock, random } = this.#options
    const { current } = entry
    const postageUnits = postageOf(parcel, view)
    if (!current?.link.canTake(postageUnits)) {
      parcel.returned()
      if (!current) entry.wake()
      else if (postageUnits > (current.link.channel?.windowUnits ?? 0)) entry.outgrown(postageUnits)
      return false
    }
    const hops = this.#chooseHops(parcel, view, current.relay)
    if (!hops) {
      parcel.refused('no-path')
      return true
    }
    const shipment = tryPack(parcel, { view, hops, nowMs: clock.now(), random })
    if (!shipment) {
      parcel.refused('bad-key')
      return true
    }
    parcel.shipped(hops.map(({ nodeId }) => nodeId))
    this.#underWay += 1
    if (current.link.enqueue({ ...shipment, parcel })) return true
    this.#underWay -= 1
    parcel.returned()
    return false
  }

  #chooseHops(parcel: Parcel, view: DirectoryView, entry: Relay): Relay[] | undefined {
    const { experience, clock, random } = this.#options
    const nowMs = clock.now()
    const weight = (nodeId: Hex) => experience.weight(nodeId, nowMs) * parcel.bias(nodeId)
    try {
      return chooseHops({ view, entry, count: parcel.hops, random, weight })
    } catch (error) {
      if (errorCode(error) === 'NETWORK_NO_RELAY') return undefined
      throw error
    }
  }
}

/** Anybody may claim any reply address, also one that is no usable key. */
function tryPack(parcel: Parcel, packing: Packing): Shipment | undefined {
  try {
    return pack(parcel, packing)
  } catch (error) {
    if (errorCode(error) === 'CRYPTO_INVALID_KEY') return undefined
    throw error
  }
}

/** Lets frames leave and arrive between two batches of packing. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
