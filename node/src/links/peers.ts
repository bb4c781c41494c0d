/** The outgoing links: to every neighbour and some peers of each shallower bin (PROTOCOL.md §6). */
import { setTimeout as sleep } from 'node:timers/promises'
import { MainframeError } from '@mainframe/protocol'
import type { RelayEntry } from '../chain/directory.ts'
import { type Counts, createCounts } from '../routing/outcomes.ts'
import type { OverlayView } from '../routing/overlay.ts'
import { FAILURES_TO_REPLACE, PeerChoice } from './peer-choice.ts'
import { PEER_FAILURES, type PeerFailure, PeerLink, type PeerLinkOptions } from './peer-link.ts'

export interface PeersOptions extends PeerLinkOptions {
  /** Where to dial a relay after so many failures in a row; its registered addresses at least. */
  addressesOf(relay: RelayEntry, failures: number, signal: AbortSignal): Promise<readonly string[]>
  /** A failed attempt; the relay goes on trying. */
  onFailure(error: unknown): void
}

const FIRST_REDIAL_MS = 500
const LONGEST_REDIAL_MS = 60_000
/** A peer that shows up more often than this is not dialled at once each time. */
const WAKE_PAUSE_MS = 10_000

interface Attempt {
  peerKey: string
  abort: AbortController
  failures: number
  /** When it was last woken, by `performance.now`. */
  wokenMs: number
  /** Ends the pause before the next attempt. */
  wake: () => void
  done: Promise<void>
}

export class Peers {
  readonly #options: PeersOptions
  readonly #attempts = new Map<string, Attempt>()
  readonly #links = new Map<string, PeerLink>()
  readonly #choice = new PeerChoice()
  #view: OverlayView<RelayEntry> | undefined
  #stopped = false

  constructor(options: PeersOptions) {
    this.#options = options
  }

  /** Links that came to nothing, since the start. */
  readonly failures: Counts<PeerFailure> = createCounts(PEER_FAILURES)

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
    const wanted = this.#choice.choose(view, this.#attempts)
    const wantedKeys = new Set(wanted.map(({ peerKey }) => peerKey))
    for (const [peerKey, { abort }] of this.#attempts) {
      if (wantedKeys.has(peerKey)) continue
      abort.abort()
      this.#attempts.delete(peerKey)
    }
    for (const relay of wanted) {
      if (!this.#attempts.has(relay.peerKey)) this.#begin(relay)
    }
  }

  /** A peer has just shown that it is alive: an attempt that waits goes on now. */
  wake(peerKey: string): void {
    const attempt = this.#attempts.get(peerKey)
    if (!attempt || performance.now() - attempt.wokenMs < WAKE_PAUSE_MS) return
    attempt.wokenMs = performance.now()
    attempt.wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const attempts = [...this.#attempts.values()]
    for (const { abort } of attempts) abort.abort()
    await Promise.all(attempts.map(({ done }) => done))
    this.#attempts.clear()
  }

  #begin(relay: RelayEntry): void {
    const attempt: Attempt = {
      peerKey: relay.peerKey,
      abort: new AbortController(),
      failures: 0,
      wokenMs: Number.NEGATIVE_INFINITY,
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
  async #connect({ peerKey, failures, abort: { signal } }: Attempt): Promise<boolean> {
    let link: PeerLink | undefined
    try {
      // looked up each time: its addresses may have changed since the last attempt
      const relay = this.#view?.others.find((other) => other.relay.peerKey === peerKey)?.relay
      if (!relay) return false
      const multiaddrs = [...(await this.#options.addressesOf(relay, failures, signal))]
      link = await PeerLink.open({ ...relay, multiaddrs }, this.#options, signal)
      this.#links.set(peerKey, link)
      await link.serve(signal)
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
    } finally {
      if (link && this.#links.get(peerKey) === link) this.#links.delete(peerKey)
    }
    return link?.wasUseful ?? false
  }

  #fail(error: unknown): void {
    this.failures[failureOf(error)] += 1
    this.#options.onFailure(error)
  }
}

function failureOf(error: unknown): PeerFailure {
  if (isUnproved(error)) return 'unproved'
  const outcome = error instanceof MainframeError ? error.details['outcome'] : undefined
  return PEER_FAILURES.find((name) => name === outcome) ?? 'failed'
}

/** Whether the handshake failed at one of the addresses that were dialled: Noise proves the key in it. */
function isUnproved(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnproved)
  return error instanceof Error && error.name === 'EncryptionFailedError'
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
