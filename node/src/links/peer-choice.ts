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
      if (shared >= view.linkLuminosity) chosen.push(relay)
      else bins.set(shared, [...(bins.get(shared) ?? []), relay])
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
    const failuresOf = ({ peerKey }: R) => failures.get(peerKey)?.failures ?? 0
    const isTried = ({ peerKey }: R) => (failures.has(peerKey) ? 0 : 1)
    const good = bin
      .filter((relay) => failuresOf(relay) < FAILURES_TO_REPLACE)
      .sort(
        (a, b) =>
          isTried(a) - isTried(b) ||
          failuresOf(a) - failuresOf(b) ||
          this.#turnOf(a) - this.#turnOf(b),
      )
    const failing = bin
      .filter((relay) => failuresOf(relay) >= FAILURES_TO_REPLACE)
      .sort((a, b) => failuresOf(a) - failuresOf(b))
    // given up for now, so that a bin full of dead relays is tried to its end a few at a time
    for (const { peerKey } of failing.splice(PEERS_PER_BIN)) {
      this.#lastTurn += 1
      this.#turns.set(peerKey, this.#lastTurn)
    }
    return [...good.slice(0, PEERS_PER_BIN), ...failing]
  }

  #turnOf({ peerKey }: OverlayRelay): number {
    const turn = this.#turns.get(peerKey) ?? this.#random()
    this.#turns.set(peerKey, turn)
    return turn
  }
}
