/** Which peers a relay wants a link to (PROTOCOL.md §6). */
import type { OverlayRelay, OverlayView } from '../routing/overlay.ts'

/** Peers kept in each bin shallower than the neighbourhood. */
export const PEERS_PER_BIN = 4

export interface PeerChoice<R extends OverlayRelay> {
  /** False for one that keeps failing: it does not count as one of the four of its bin. */
  isGood(relay: R): boolean
  /** Those with the lowest rank of a bin are chosen. */
  rank(relay: R): number
}

/** Every neighbour, and the four best good peers of each shallower bin. */
export function wantedPeers<R extends OverlayRelay>(
  view: OverlayView<R>,
  { isGood, rank }: PeerChoice<R>,
): R[] {
  const bins = new Map<number, { relay: R; rank: number }[]>()
  const wanted: R[] = []
  for (const { relay, shared } of view.others) {
    if (shared >= view.luminosity) wanted.push(relay)
    else if (isGood(relay)) {
      const bin = bins.get(shared) ?? []
      bin.push({ relay, rank: rank(relay) })
      bins.set(shared, bin)
    }
  }
  for (const bin of bins.values()) {
    bin.sort((a, b) => a.rank - b.rank)
    wanted.push(...bin.slice(0, PEERS_PER_BIN).map(({ relay }) => relay))
  }
  return wanted
}
