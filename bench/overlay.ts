/**
 * The overlay in one process: the relay's own views, routers and choice of peers, without sockets
 * and cryptography, for networks larger than one machine could run (PROTOCOL.md §6).
 */
import { setImmediate } from 'node:timers/promises'
import {
  encodeHeader,
  HOLD_CLASS_MINUTES,
  headerOf,
  MainframeError,
  minutesNow,
  PACKET_BYTES,
  roundUpExpiry,
} from '@mainframe/protocol'
import { Journey, type Letter, type Travelled } from './overlay/journey.ts'
import {
  createNetwork,
  outlookOf,
  randomAddress,
  type SimulatedNetwork,
  type SimulatedRelay,
} from './overlay/network.ts'
import { createRandom, type Random } from './overlay/random.ts'

export interface OverlayOptions {
  /** The same seed gives the same rows. */
  seed: number
  /** Relays of each network. */
  sizes: readonly number[]
  /** Parts of the relays, 0 to 1, that are registered and do not answer. */
  deadShares: readonly number[]
  /** Messages of each row at the network's luminosity; at luminosity 0 fewer (`EVERYBODY_FRAMES`). */
  messages: number
}

/** One network, one share of dead relays, one luminosity. */
export interface OverlayRow {
  relays: number
  /** The network's luminosity d. */
  luminosity: number
  deadShare: number
  /** Bits that these messages disclosed: d, or 0 for everybody. */
  disclosed: number
  messages: number
  /** Mean over relays: peers that are linked and live, and bins that have any, neighbourhood included. */
  links: number
  bins: number
  /** Links from the entry relay to the first destination. */
  hopsMean: number
  hopsP99: number
  hopsMax: number
  /** Links from there to the destination that is farthest off, the most of all messages. */
  depthMax: number
  /** Of all messages: those that found no way to a first destination. */
  strandedShare: number
  /** Copies for each live destination that was reached. 1: nothing came twice. */
  copiesPerDestination: number
  /** Of the live destinations: reached while nobody has noticed yet which peers are dead, */
  reachedAtOnce: number
  /** and after others took their places and got what was kept, and what was stranded was sent again. */
  reached: number
}

/** Copies that the messages to everybody of one row may make together. */
const EVERYBODY_FRAMES = 200_000
/** Relays whose links are counted. */
const SAMPLE = 50
/** Any moment does; it stands still. */
const NOW_MS = Date.UTC(2026, 0, 1)

/** Runs every combination. Throws `VALIDATION_FAILED` when there is nothing to run. */
export async function runOverlay(options: OverlayOptions): Promise<OverlayRow[]> {
  const { seed, sizes, deadShares, messages } = options
  if (messages < 1 || sizes.some((size) => size < 2) || deadShares.some(isNoShare)) {
    throw new MainframeError(
      'VALIDATION_FAILED',
      'Simulate at least 1 message and 2 relays of which not all are dead',
    )
  }
  const rows: OverlayRow[] = []
  for (const size of sizes) {
    for (const deadShare of deadShares) {
      const network = createNetwork({ size, deadShare, seed: seed + size })
      const { luminosity } = network
      if (luminosity > 0) {
        rows.push(await runRow(network, { deadShare, disclosed: luminosity, messages }))
      }
      const fewer = Math.min(messages, Math.ceil(EVERYBODY_FRAMES / size))
      rows.push(await runRow(network, { deadShare, disclosed: 0, messages: fewer }))
    }
  }
  return rows
}

function isNoShare(share: number): boolean {
  return !(share >= 0 && share < 1)
}

async function runRow(
  network: SimulatedNetwork,
  row: { deadShare: number; disclosed: number; messages: number },
): Promise<OverlayRow> {
  const { relays, luminosity, seed } = network
  const random = createRandom(seed ^ row.disclosed)
  const live = relays.filter(({ dead }) => !dead)
  const trips: Trip[] = []
  while (trips.length < row.messages) {
    trips.push(travel(network, pick(live, random), { disclosed: row.disclosed, random }))
    // promises that nobody has settled yet keep every router of the journey in memory
    await setImmediate()
  }
  return { relays: relays.length, luminosity, ...row, ...linksOf(network, live), ...summary(trips) }
}

/** A packet before and after the relays noticed who is dead. */
interface Trip {
  before: Travelled
  after: Travelled
}

function travel(
  network: SimulatedNetwork,
  entry: SimulatedRelay,
  { disclosed, random }: { disclosed: number; random: Random },
): Trip {
  const clock = { nowMs: NOW_MS, random: random.below }
  const send = (noticed: boolean) => {
    const journey = new Journey(network, write(network, disclosed, random), clock, noticed)
    journey.start(entry)
    return journey
  }
  const first = send(false)
  const before = first.travelled
  first.notice()
  // a sender who was told that there is no way sends again, sealed anew
  const last = first.travelled.hops === undefined ? send(true) : first
  const after = last.travelled
  for (const journey of [first, last]) journey.stop()
  return { before, after }
}

/** A packet to some inbox, sealed for nobody, with postage for everybody several times over. */
function write({ relays }: SimulatedNetwork, disclosed: number, random: Random): Letter {
  const expiryMinutes = roundUpExpiry(minutesNow(NOW_MS) + HOLD_CLASS_MINUTES['1h'])
  const packet = new Uint8Array(PACKET_BYTES)
  random.fill(packet)
  packet.set(encodeHeader({ luminosity: disclosed, address: randomAddress(random), expiryMinutes }))
  const header = headerOf(packet)
  if (header === 'malformed') throw new MainframeError('INTERNAL', 'The header was just written')
  return { packet, header, postageUnits: 8 * relays.length }
}

function summary(trips: readonly Trip[]) {
  const arrived = trips.filter(({ before }) => before.hops !== undefined)
  const hops = arrived.map(({ before }) => before.hops ?? 0).sort((a, b) => a - b)
  const live = total(trips, ({ after }) => after.live)
  const reached = total(trips, ({ after }) => after.reached)
  return {
    hopsMean: hops.reduce((sum, count) => sum + count, 0) / hops.length,
    hopsP99: hops[Math.ceil(0.99 * hops.length) - 1] ?? Number.NaN,
    hopsMax: hops.at(-1) ?? Number.NaN,
    depthMax: Math.max(...trips.map(({ after }) => after.depth)),
    strandedShare: 1 - arrived.length / trips.length,
    copiesPerDestination: total(trips, ({ after }) => after.copies) / reached,
    reachedAtOnce: total(trips, ({ before }) => before.reached) / live,
    reached: reached / live,
  }
}

function total(trips: readonly Trip[], of: (trip: Trip) => number): number {
  return trips.reduce((sum, trip) => sum + of(trip), 0)
}

/** What some live relays keep: links to live peers, and bins with any. */
function linksOf(network: SimulatedNetwork, live: readonly SimulatedRelay[]) {
  // spread over all addresses, in whose order they stand
  const sample = live.filter((_, i) => i % Math.ceil(live.length / SAMPLE) === 0)
  let [links, bins] = [0, 0]
  for (const relay of sample) {
    const { view, peers } = outlookOf(network, relay)
    const linked = new Set(peers(false))
    const filled = view.others
      .filter((other) => linked.has(other.relay))
      .map(({ shared }) => Math.min(shared, network.luminosity))
    links += linked.size
    bins += new Set(filled).size
  }
  return { links: links / sample.length, bins: bins / sample.length }
}

function pick(relays: readonly SimulatedRelay[], random: Random): SimulatedRelay {
  const relay = relays[random.below(relays.length)]
  if (!relay) throw new MainframeError('INTERNAL', 'A network without live relays')
  return relay
}
