/** Which relays a client uses: hops anew for every packet, entry and subscriptions pinned. */
import {
  compareDistance,
  type Hex,
  MainframeError,
  matchesPrefix,
  type RankCandidate,
  type Ranked,
  rankOffers,
  unitsToBase,
} from '@mainframe/protocol'
import { type Random, shuffle } from '../random.ts'
import type { Experience } from './experience.ts'
import type { DirectoryView, Relay } from './relay.ts'
import { destinationsOf } from './view.ts'

/** Relays that the postage table pays for passing a packet on. */
export function carriersOf({ relays, mostRouteUnits }: DirectoryView): Relay[] {
  return relays.filter(({ prices }) => prices !== undefined && prices.routeUnits <= mostRouteUnits)
}

export interface HopChoice {
  view: DirectoryView
  entry: Relay
  count: number
  random: Random
  /** Above 0; a relay of twice the weight comes first twice as often. 1 for all unless given. */
  weight?: (nodeId: Hex) => number
}

/**
 * Hops in the order in which a packet takes them: uniform over active operators as long as they weigh
 * the same, no operator twice, none of the entry relay's (PROTOCOL.md §6). Throws `NETWORK_NO_RELAY`
 * when there are too few.
 */
export function chooseHops({ view, entry, count, random, weight = () => 1 }: HopChoice): Relay[] {
  const eligible = carriersOf(view).filter(({ operator }) => operator !== entry.operator)
  const operators = byOperator(eligible)
  if (operators.length < count) throw tooFew(count, operators.length)
  const drawn = operators.map((own) => {
    const weights = own.map(({ nodeId }) => weight(nodeId))
    return { own, key: drawKey(Math.max(...weights), random) }
  })
  drawn.sort((a, b) => b.key - a.key)
  const hops = drawn.slice(0, count).flatMap(({ own }) => {
    const best = own.map((relay) => ({ relay, key: drawKey(weight(relay.nodeId), random) }))
    return best.sort((a, b) => b.key - a.key)[0]?.relay ?? []
  })
  // The order of the draw tells weights, which are nobody's business.
  return shuffle(hops, random)
}

/** Taking the greatest keys is a weighted draw without replacement (Efraimidis and Spirakis). */
function drawKey(weight: number, random: Random): number {
  return Math.log(1 - random()) / weight
}

function tooFew(hops: number, operators: number): MainframeError {
  return new MainframeError(
    'NETWORK_NO_RELAY',
    `${hops} hops need as many operators besides the entry relay's, and ${operators} offer to ` +
      'carry packets; wait for more relays or ask for fewer hops',
    { details: { hops, operators }, retryable: true },
  )
}

function byOperator(relays: readonly Relay[]): Relay[][] {
  return [...Map.groupBy(relays, ({ operator }) => operator).values()]
}

export interface SubscriptionChoice {
  view: DirectoryView
  /** Address of the inbox. */
  inbox: Uint8Array
  entry: Relay | undefined
  /** Relays to stay with, as far as they still fit. */
  pinned: readonly Hex[]
  /** Relays that do not answer. */
  dead: ReadonlySet<Hex>
  /** Operators of relays at which other inboxes of this client are: taken where there are no more. */
  others?: ReadonlySet<Hex>
  count: number
  random: Random
  /** The longest prefix under which packets for the inbox may be held; that of the view unless given. */
  longestPrefix?: number
}

/**
 * Relays to subscribe at: those that hold packets for the inbox, of these those that also hold what
 * came under a longer prefix, pinned ones first, those of other inboxes last, never one of the entry
 * relay's operator, who sees what we send. Fewer than asked for when there are no more.
 */
export function chooseSubscriptions(choice: SubscriptionChoice): Relay[] {
  const { view, inbox, entry, pinned, dead, count, random, longestPrefix = 0 } = choice
  const matching = destinationsOf(view, inbox)
  const closest = view.relays.toSorted((a, b) => compareDistance(inbox, a.address, b.address))[0]
  const holders = matching.length > 0 || !closest ? matching : [closest]
  const usable = holders.filter((r) => r.operator !== entry?.operator && !dead.has(r.nodeId))
  const isPinned = ({ nodeId }: Relay) => pinned.includes(nodeId)
  const isShared = ({ operator }: Relay) => Number(choice.others?.has(operator) ?? false)
  const fresh = usable.filter((relay) => !isPinned(relay))
  const holdsAll = ({ address }: Relay) => (matchesPrefix(address, inbox, longestPrefix) ? 0 : 1)
  const drawn = shuffle(fresh, random).toSorted((a, b) => isShared(a) - isShared(b))
  const ordered = [...usable.filter(isPinned), ...drawn].toSorted(
    (a, b) => holdsAll(a) - holdsAll(b),
  )
  const chosen: Relay[] = []
  for (const relay of ordered) {
    if (chosen.length === count) break
    if (chosen.every(({ operator }) => operator !== relay.operator)) chosen.push(relay)
  }
  return chosen
}

/** Carriers by the network's rank (docs of `rankOffers`), with this client's own experience. */
export function rankCarriers(options: {
  view: DirectoryView
  experience: Experience
  seed: Uint8Array
  k: number
}): Ranked<RankCandidate & { relay: Relay }>[] {
  const { view, experience, seed, k } = options
  const candidates = carriersOf(view).map((relay) => {
    const { nodeId, operator, stakeBase: stake, updatedBlock, prices } = relay
    const { routeUnits = 0, holdUnitsPerHour = 0 } = prices ?? {}
    const asked = [unitsToBase(routeUnits), unitsToBase(holdUnitsPerHour)]
    const observed = experience.observed(nodeId)
    return { relay, nodeId, operator, stake, updatedBlock, prices: asked, observed }
  })
  const median = (values: bigint[]) => {
    const sorted = values.sort((a, b) => (a < b ? -1 : 1))
    return sorted[(sorted.length - 1) >> 1] ?? 0n
  }
  const reference = {
    medians: [0, 1].map((i) => median(candidates.map(({ prices }) => prices[i] ?? 0n))),
    stake: median(candidates.map(({ stake }) => stake)),
    blockNumber: view.block.number,
  }
  return rankOffers(candidates, { reference, seed, k })
}
