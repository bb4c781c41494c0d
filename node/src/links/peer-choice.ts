/** Which peers a relay keeps links to: all neighbours, and some of each shallower bin (PROTOCOL.md §6). */
import type { OverlayRelay, OverlayView } from '../routing/overlay.ts'

/** Peers kept in each bin shallower than the neighbourhood, and as many more that fail and are still tried. */
export const PEERS_PER_BIN = 4
/** Failed attempts in a row after which another peer of the bin is tried as well. */
export const FAILURES_TO_REPLACE = 2

export class PeerChoice {
  /** Whose turn it is in a bin: by chance, the same all the time; who failed for long goes last. */
  readonly #turns = new Map<string, number>()
  readonly #random: () => number
  #lastTurn = 1

  /** `random` gives numbers from 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** The peers to dial, given the failures in a row of those that are being dialled. */
  choose<R extends OverlayRelay>(
    view: OverlayView<R>,
    failures: ReadonlyMap<string, { failures: number }>,
  ): R[] {
    const bins = new Map<number, R[]>()
    const chosen: R[] = []
    for (const { relay, shared } of view.others) {
      const bin = bins.get(shared)
      if (shared >= view.linkLuminosity) chosen.push(relay)
      else if (bin) bin.push(relay)
      else bins.set(shared, [relay])
    }
    for (const bin of bins.values()) chosen.push(...this.#chooseOf(bin, failures))
    for (const peerKey of this.#turns.keys()) {
      if (!view.members.has(peerKey)) this.#turns.delete(peerKey)
    }
    return chosen
  }

  #chooseOf<R extends OverlayRelay>(
    bin: readonly R[],
    failures: ReadonlyMap<string, { failures: number }>,
  ): R[] {
    const candidates = bin.map((relay) => {
      const known = failures.get(relay.peerKey)
      return { relay, isNew: known ? 0 : 1, failures: known?.failures ?? 0 }
    })
    const good = candidates
      .filter((candidate) => candidate.failures < FAILURES_TO_REPLACE)
      .map((candidate) => ({ ...candidate, turn: this.#turnOf(candidate.relay) }))
      .sort((a, b) => a.isNew - b.isNew || a.failures - b.failures || a.turn - b.turn)
    const failing = candidates
      .filter((candidate) => candidate.failures >= FAILURES_TO_REPLACE)
      .sort((a, b) => a.failures - b.failures)
    // given up for now, so that a bin full of dead relays is tried to its end a few at a time
    for (const { relay } of failing.splice(PEERS_PER_BIN)) {
      this.#lastTurn += 1
      this.#turns.set(relay.peerKey, this.#lastTurn)
    }
    return [...good.slice(0, PEERS_PER_BIN), ...failing].map(({ relay }) => relay)
  }

  #turnOf({ peerKey }: OverlayRelay): number {
    const turn = this.#turns.get(peerKey) ?? this.#random()
    this.#turns.set(peerKey, turn)
    return turn
  }
}
