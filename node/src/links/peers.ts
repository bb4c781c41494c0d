/** The outgoing links: to every neighbour and some peers of each shallower bin (PROTOCOL.md §6). */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RelayEntry } from '../chain/directory.ts'
import type { OverlayView } from '../routing/overlay.ts'
import { PeerLink, type PeerLinkOptions } from './peer-link.ts'
import { wantedPeers } from './wanted.ts'

export interface PeersOptions extends PeerLinkOptions {
  /** A failed attempt; the relay goes on trying. */
  onFailure(error: unknown): void
}

/** Failed attempts after which another peer of the bin is tried as well. */
const FAILURES_TO_REPLACE = 2
const FIRST_REDIAL_MS = 500
const LONGEST_REDIAL_MS = 60_000

interface Attempt {
  peerKey: string
  abort: AbortController
  failures: number
  /** Ends the pause before the next attempt. */
  wake: () => void
  done: Promise<void>
}

export class Peers {
  readonly #options: PeersOptions
  readonly #attempts = new Map<string, Attempt>()
  readonly #links = new Map<string, PeerLink>()
  /** Order in which peers of a bin are preferred: by chance, but the same all the time. */
  readonly #order = new Map<string, number>()
  #view: OverlayView<RelayEntry> | undefined
  #stopped = false

  constructor(options: PeersOptions) {
    this.#options = options
  }

  /** Links whose peer answered, by peer key; whether they can take a packet they say themselves. */
  get links(): ReadonlyMap<string, PeerLink> {
    return this.#links
  }

  /** How many peers are wanted, and how many of them can be paid. */
  get counts(): { wanted: number; usable: number } {
    const usable = [...this.#links.values()].filter(({ hadCredit }) => hadCredit).length
    return { wanted: this.#attempts.size, usable }
  }

  /** Packets that wait on all links together, and that are not acknowledged. */
  get backlog(): PeerLink['backlog'] {
    const sum = { queued: 0, unacknowledged: 0 }
    for (const { backlog } of this.#links.values()) {
      sum.queued += backlog.queued
      sum.unacknowledged += backlog.unacknowledged
    }
    return sum
  }

  /** Takes over a changed network: new neighbours are dialled, relays that left are let go. */
  update(view: OverlayView<RelayEntry>): void {
    this.#view = view
    if (this.#stopped) return
    for (const [peerKey, { abort }] of this.#attempts) {
      if (view.members.has(peerKey)) continue
      abort.abort()
      this.#attempts.delete(peerKey)
    }
    for (const relay of this.#wanted(view)) {
      if (!this.#attempts.has(relay.peerKey)) this.#begin(relay)
    }
  }

  /** A peer has just shown that it is alive: an attempt that waits goes on now. */
  wake(peerKey: string): void {
    this.#attempts.get(peerKey)?.wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const attempts = [...this.#attempts.values()]
    for (const { abort } of attempts) abort.abort()
    await Promise.all(attempts.map(({ done }) => done))
    this.#attempts.clear()
  }

  /** Those that are tried already stay; one that keeps failing is replaced beside. */
  #wanted(view: OverlayView<RelayEntry>): RelayEntry[] {
    const attempt = ({ peerKey }: RelayEntry) => this.#attempts.get(peerKey)
    return wantedPeers(view, {
      isGood: (relay) => (attempt(relay)?.failures ?? 0) < FAILURES_TO_REPLACE,
      rank: (relay) => (attempt(relay) ? 0 : 1) + this.#chance(relay),
    })
  }

  #chance({ peerKey }: RelayEntry): number {
    const known = this.#order.get(peerKey) ?? Math.random()
    this.#order.set(peerKey, known)
    return known
  }

  #begin(relay: RelayEntry): void {
    const attempt: Attempt = {
      peerKey: relay.peerKey,
      abort: new AbortController(),
      failures: 0,
      wake: () => {},
      done: Promise.resolve(),
    }
    this.#attempts.set(relay.peerKey, attempt)
    attempt.done = this.#run(attempt)
  }

  /** Dials again and again, with growing pauses, until the peer is no longer wanted. */
  async #run(attempt: Attempt): Promise<void> {
    const { signal } = attempt.abort
    while (!signal.aborted) {
      const worked = await this.#connect(attempt)
      attempt.failures = worked ? 0 : attempt.failures + 1
      // refill the bin beside a peer that is gone for longer
      if (attempt.failures === FAILURES_TO_REPLACE && this.#view) this.update(this.#view)
      await pause(attempt, redialMs(attempt.failures))
    }
  }

  /** One link from dial to end; true if it was of use. */
  async #connect({ peerKey, abort: { signal } }: Attempt): Promise<boolean> {
    let link: PeerLink | undefined
    try {
      // looked up each time: its addresses may have changed since the last attempt
      const relay = this.#view?.others.find((other) => other.relay.peerKey === peerKey)?.relay
      if (!relay) return false
      link = await PeerLink.open(relay, this.#options, signal)
      this.#links.set(peerKey, link)
      await link.serve(signal)
    } catch (error) {
      if (!signal.aborted) this.#options.onFailure(error)
    } finally {
      if (link && this.#links.get(peerKey) === link) this.#links.delete(peerKey)
    }
    return link?.hadCredit ?? false
  }
}

async function pause(attempt: Attempt, ms: number): Promise<void> {
  const woken = new AbortController()
  attempt.wake = () => woken.abort()
  const signal = AbortSignal.any([attempt.abort.signal, woken.signal])
  await sleep(ms, undefined, { signal }).catch(() => {}) // woken or stopped: both mean go on
  attempt.wake = () => {}
}

/** Doubles up to a minute; the random half keeps a whole network from dialling in step. */
function redialMs(failures: number): number {
  const whole = Math.min(LONGEST_REDIAL_MS, FIRST_REDIAL_MS * 2 ** Math.min(failures, 16))
  return whole / 2 + Math.random() * (whole / 2)
}
