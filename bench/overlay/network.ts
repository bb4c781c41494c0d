/** A network that exists in memory only: random addresses, some relays dead, links on demand. */
import { networkLuminosity, type RelayPrices } from '@mainframe/protocol'
import { FAILURES_TO_REPLACE, PeerChoice } from '../../node/src/links/peer-choice.ts'
import { type OverlayRelay, type OverlayView, othersOf } from '../../node/src/routing/overlay.ts'
import { createRandom, mix, type Random } from './random.ts'

/** Everybody asks the same: who is paid what is not in question here. */
export const PRICES: RelayPrices = { routeUnits: 1, holdUnitsPerHour: 1 }

export interface SimulatedRelay extends OverlayRelay {
  index: number
  /** It does not answer, but it is still registered. */
  dead: boolean
}

export interface SimulatedNetwork {
  seed: number
  /** By ascending address, which is what makes a view cheap. */
  relays: readonly SimulatedRelay[]
  luminosity: number
  /** The dead, as one knows them who has tried often enough. */
  failures: ReadonlyMap<string, { failures: number }>
  /** All peer keys. */
  members: ReadonlySet<string>
  /** Those that were looked at last, by index. */
  outlooks: Map<number, Outlook>
  /** Who is linked to whom, of all that were looked at. */
  choices: Map<number, Outlook['peers']>
}

/** What one relay sees: the overlay, and which peers it is linked to. */
export interface Outlook {
  view: OverlayView<SimulatedRelay>
  /**
   * The live ones of the peers that it wants. Until it has noticed who is dead its choice is that of
   * before, and the dead are missing in its bins; afterwards others have taken their places.
   */
  peers(noticed: boolean): readonly SimulatedRelay[]
}

const RANDOM_STEPS = 2 ** 32
/** Relays in all outlooks that are kept: some 100 bytes each. */
const KEPT_ENTRIES = 1_000_000

/** A network of `size` relays of which a share is dead. */
export function createNetwork(options: {
  size: number
  deadShare: number
  seed: number
}): SimulatedNetwork {
  const { size, deadShare, seed } = options
  const random = createRandom(seed)
  const relays: SimulatedRelay[] = Array.from({ length: size }, () => ({
    index: 0,
    peerKey: '',
    address: randomAddress(random),
    prices: PRICES,
    dead: false,
  }))
  relays.sort((a, b) => Buffer.compare(a.address, b.address))
  for (const [index, relay] of relays.entries())
    Object.assign(relay, { index, peerKey: `${index}` })
  const left = [...relays]
  for (let dead = Math.round(size * deadShare); dead > 0; dead--) {
    const [relay] = left.splice(random.below(left.length), 1)
    if (relay) relay.dead = true
  }
  // users without end, so that the number of relays alone decides
  const luminosity = networkLuminosity(size, Number.MAX_SAFE_INTEGER)
  const failures = new Map(
    relays
      .filter(({ dead }) => dead)
      .map(({ peerKey }) => [peerKey, { failures: FAILURES_TO_REPLACE }]),
  )
  const members = new Set(relays.map(({ peerKey }) => peerKey))
  const known = { outlooks: new Map(), choices: new Map() }
  return { seed, relays, luminosity, failures, members, ...known }
}

export function outlookOf(network: SimulatedNetwork, self: SimulatedRelay): Outlook {
  const { relays, luminosity, members, outlooks, choices } = network
  const known = outlooks.get(self.index)
  if (known) return known
  const others = othersOf(self.address, relays)
  const view = { self: self.address, luminosity, linkLuminosity: luminosity, others, members }
  const peers = choices.get(self.index) ?? choose(network, self, view)
  choices.set(self.index, peers)
  const outlook = { view, peers }
  if ((outlooks.size + 1) * relays.length > KEPT_ENTRIES) outlooks.clear()
  outlooks.set(self.index, outlook)
  return outlook
}

/** The relay's own choice, before and after it noticed who is dead. */
function choose(
  { seed, failures }: SimulatedNetwork,
  self: SimulatedRelay,
  view: OverlayView<SimulatedRelay>,
): Outlook['peers'] {
  const random = createRandom(mix(seed, self.index, 0))
  const choice = new PeerChoice(() => random.below(RANDOM_STEPS) / RANDOM_STEPS)
  const alive = (chosen: SimulatedRelay[]) => chosen.filter(({ dead }) => !dead)
  const first = alive(choice.choose(view, new Map()))
  const later = alive(choice.choose(view, failures)) // whose turn it is was drawn before anybody died
  return (noticed) => (noticed ? later : first)
}

export function randomAddress(random: Random): Uint8Array {
  const address = new Uint8Array(32)
  random.fill(address)
  return address
}
