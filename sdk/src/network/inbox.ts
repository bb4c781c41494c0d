/** Receiving: subscriptions at a few pinned relays, none of them the entry's (PROTOCOL.md §7). */
import { type Hex, MainframeError } from '@mainframe/protocol'
import { chooseSubscriptions } from '../directory/choose.ts'
import {
  longestPrefix,
  notePrefix,
  type PrefixMemory,
  readPrefixMemory,
} from '../directory/prefix-memory.ts'
import type { DirectoryView, Relay } from '../directory/relay.ts'
import { createIntake, type Intake } from '../messages/intake.ts'
import type { Keyring } from '../messages/keyring.ts'
import { hex, list, maybe, whole } from '../readers.ts'
import { readJson, writeJson } from '../store/values.ts'
import type { InboxOptions } from './inbox-options.ts'
import { Subscription } from './subscription.ts'

const PINNED = 'subscriptions'
const PREFIXES = 'prefixes'
/** How often the memory of prefixes is written down while the luminosity stays the same. */
const PREFIX_SAVE_MS = 3_600_000
const CURSOR_PREFIX = 'cursor.'
/** More than a client ever subscribes at. */
const MOST_PINNED = 16
/** How often cursors are written down: what lies between is delivered again after a crash. */
const SAVE_MS = 1_000

/** One inbox on the network: subscriptions, cursors and connections that no other inbox shares. */
export class Inbox {
  readonly #options: InboxOptions
  readonly #intake: Intake
  readonly #subscriptions = new Map<Hex, Subscription>()
  /** Relays that did not answer, and until when they are left alone. */
  readonly #resting = new Map<Hex, number>()
  readonly #caughtUp = Promise.withResolvers<void>()
  readonly #saved = new Map<Hex, number>()
  #pinned: Hex[] = []
  #prefixes: PrefixMemory = []
  #cancelCheck: () => void = () => {}
  #cancelSave: (() => void) | undefined
  #checking: Promise<void> | undefined
  #saving: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: InboxOptions) {
    this.#options = options
    this.#intake = createIntake(options.receiver, options.aside)
    this.#caughtUp.promise.catch(() => {}) // nobody has to wait for it
  }

  /** Begins to receive. Throws `STORE_CORRUPT`. */
  async start(): Promise<void> {
    const { store } = this.#options
    this.#pinned = (await readJson(store, PINNED, readPinned)) ?? []
    this.#prefixes = (await readJson(store, PREFIXES, readPrefixMemory)) ?? []
    await this.check()
  }

  /** Resolves when everything that was held when the client started has been delivered once. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise
  }

  /** Relays that deliver, and how far they are. */
  get relays(): { relay: Relay; state: Subscription['state'] }[] {
    return [...this.#subscriptions.values()].map(({ relay, state }) => ({ relay, state }))
  }

  /** Operators of those relays. */
  get operators(): ReadonlySet<Hex> {
    return new Set(this.relays.map(({ relay }) => relay.operator))
  }

  /** Replaces subscriptions that are dead or do not fit any more; never rejects. */
  check(): Promise<void> {
    this.#checking ??= this.#check()
      .catch(() => {}) // no directory for now: the next check asks again
      .finally(() => {
        this.#checking = undefined
        this.#scheduleCheck()
      })
    return this.#checking
  }

  /** Has these relays deliver again what comes after their cursors. */
  async again(relays: readonly string[]): Promise<void> {
    for (const nodeId of relays) await this.#subscriptions.get(nodeId as Hex)?.again()
  }

  /** Tries keys that are new in the receiver's keyring on what none had opened. */
  tryAgain(added: Keyring): void {
    this.#intake.tryAgain(added)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelCheck()
    this.#cancelSave?.()
    await Promise.all([...this.#subscriptions.values()].map((each) => each.close()))
    this.#intake.close()
    await this.#checking
    await this.#saving
    await this.#saveCursors()
    this.#caughtUp.reject(new MainframeError('NETWORK_CLOSED', 'The inbox was closed'))
  }

  #scheduleCheck(): void {
    if (this.#isClosed) return
    const { clock, settings } = this.#options
    this.#cancelCheck()
    this.#cancelCheck = clock.after(settings.profile.inboxCheckMs, () => void this.check())
  }

  async #check(): Promise<void> {
    const view = await this.#options.directory.fresh()
    const wanted = this.#choose(view)
    for (const [nodeId, subscription] of this.#subscriptions) {
      const stays = wanted.some((relay) => relay.nodeId === nodeId)
      if (stays && subscription.state !== 'ended') await subscription.renew()
      else await this.#leave(nodeId, subscription)
    }
    for (const relay of wanted) {
      if (!this.#isClosed && !this.#subscriptions.has(relay.nodeId)) this.#join(relay)
    }
    await this.#pin(wanted)
    await this.#notePrefix(view)
  }

  #choose(view: DirectoryView): Relay[] {
    const { clock, random, settings, address, entry, others } = this.#options
    const nowMs = clock.now()
    const dead = [...this.#resting].flatMap(([id, untilMs]) => (untilMs > nowMs ? [id] : []))
    return chooseSubscriptions({
      view,
      inbox: address,
      entry: entry(),
      pinned: this.#pinned,
      others: others(),
      dead: new Set(dead),
      count: settings.subscriptions,
      random,
      longestPrefix: longestPrefix(notePrefix(this.#prefixes, view.luminosity, nowMs)),
    })
  }

  async #notePrefix({ luminosity }: DirectoryView): Promise<void> {
    const { clock, store } = this.#options
    const nowMs = clock.now()
    const last = this.#prefixes.at(-1)
    if (last?.bits === luminosity && nowMs - last.lastMs < PREFIX_SAVE_MS) return
    this.#prefixes = notePrefix(this.#prefixes, luminosity, nowMs)
    await writeJson(store, PREFIXES, this.#prefixes)
  }

  #join(relay: Relay): void {
    const { nodeId } = relay
    const { connect, deployment, clock, settings, directory, address } = this.#options
    const subscription = new Subscription({
      relay,
      deployment,
      connect,
      clock,
      profile: settings.profile,
      inbox: address,
      bits: () => directory.view?.luminosity ?? 0,
      cursor: () => this.#cursorOf(nodeId),
      onPacket: (packet, cursor) => {
        this.#intake.take(packet, nodeId, cursor)
        this.#saveSoon()
      },
      intake: this.#intake,
      onState: () => this.#onState(),
      onDead: () => {
        this.#resting.set(nodeId, clock.now() + settings.profile.restMs)
        void this.check()
      },
    })
    this.#subscriptions.set(nodeId, subscription)
    subscription.start()
  }

  async #leave(nodeId: Hex, subscription: Subscription): Promise<void> {
    this.#subscriptions.delete(nodeId)
    await subscription.close()
  }

  /** Up to date when a relay says so and no other one is still telling what it holds. */
  #onState(): void {
    const states = this.relays.map(({ state }) => state)
    if (states.includes('current') && !states.includes('replaying')) this.#caughtUp.resolve()
  }

  async #pin(relays: readonly Relay[]): Promise<void> {
    const ids = relays.map(({ nodeId }) => nodeId)
    if (ids.length === 0 || ids.every((id) => this.#pinned.includes(id))) return
    // Those that are gone for a while are the first to come back to.
    const others = this.#pinned.filter((id) => !ids.includes(id))
    this.#pinned = [...ids, ...others].slice(0, MOST_PINNED)
    await writeJson(this.#options.store, PINNED, this.#pinned)
  }

  async #cursorOf(nodeId: Hex): Promise<number> {
    await new Promise<void>((resolve) => this.#intake.after(resolve)) // of a link that was lost
    const known = this.#options.receiver.resumeAt(nodeId)
    if (known !== undefined) return known
    const stored = await readJson(this.#options.store, cursorKey(nodeId), readCursor)
    return stored ?? 0
  }

  #saveSoon(): void {
    if (this.#cancelSave || this.#isClosed) return
    this.#cancelSave = this.#options.clock.after(SAVE_MS, () => {
      this.#cancelSave = undefined
      this.#saving = this.#saveCursors().catch(() => {}) // an old cursor costs a longer replay
    })
  }

  async #saveCursors(): Promise<void> {
    const { receiver, store } = this.#options
    for (const nodeId of this.#pinned) {
      const cursor = receiver.restartAt(nodeId)
      if (cursor === undefined || this.#saved.get(nodeId) === cursor) continue
      await writeJson(store, cursorKey(nodeId), cursor)
      this.#saved.set(nodeId, cursor)
    }
  }
}

function cursorKey(nodeId: Hex): string {
  return `${CURSOR_PREFIX}${nodeId.slice(2)}`
}

const readCursor = maybe(whole)
const readPinned = maybe(list(hex(32), MOST_PINNED))
