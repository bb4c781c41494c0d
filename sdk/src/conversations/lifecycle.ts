/** How a conversation goes from epoch to epoch, from its beginning to its end. */
import { members } from '../mls/group.ts'
import { peek } from '../mls/process.ts'
import type { MlsState } from '../mls/state.ts'
import { exponential } from '../random.ts'
import {
  type Core,
  groupOf,
  headOf,
  memberViews,
  othersOf,
  publishBytes,
  tell,
  writeMeta,
} from './core.ts'
import type { Epoch, Published } from './epoch.ts'
import type { WelcomeData } from './group-data.ts'
import { History } from './history.ts'
import { MAX_ADDED, UPDATE_MESSAGES, UPDATE_MS } from './limits.ts'
import { loadHistory, loadOutgoing } from './load.ts'
import { nameOf } from './reader.ts'
import { type Parts, receiveBody } from './receiver.ts'
import { SHELF_KEYS, splitParts } from './shelf.ts'

export class Lifecycle {
  readonly #core: Core
  readonly #parts: Parts
  #stopUpdate: (() => void) | undefined
  #stopResend: (() => void) | undefined

  constructor(core: Core, parts: Parts) {
    this.#core = core
    this.#parts = parts
  }

  /** An epoch to begin with, of a new conversation or by a welcome. */
  async begin(
    state: MlsState,
    { floor, former, commit }: WelcomeData & { commit?: Published },
  ): Promise<void> {
    const { epochs, people, ports, history, meta } = this.#core
    await people.remember(former)
    await people.remember(members(state))
    const facts = { self: ports.identity.inboxKey, floor, nowMs: ports.clock.now() }
    await epochs.begin(state, facts, commit)
    history.advance(floor)
    await writeMeta(this.#core, { clock: Math.max(floor, meta.clock) })
    await this.rechoose()
    await this.#openParked()
  }

  /** Everything from the store; what was under way goes on. */
  async load(): Promise<void> {
    const core = this.#core
    await loadHistory(core)
    await loadOutgoing(core)
    core.history.advance(core.meta.clock)
    await core.people.load()
    await core.epochs.load()
    // A kill may have come between the end and what is erased then.
    if (core.meta.ended) return this.#erase()
    core.epochs.choose((id) => this.#witnesses(id))
    if (!core.epochs.head) return
    // A crash may have come between an epoch and what follows from it.
    for (const { state } of core.epochs.chain) await core.people.remember(members(state))
    await this.#setFloors()
    await core.parked.load((bytes) => peek(bytes)?.epoch)
    await this.#parts.stewardship.load()
    await core.epochs.prune(core.ports.clock.now())
    await this.#openParked()
    // What was parked may have been the commit that removes this member.
    if (!core.epochs.head) return
    await this.#parts.stewardship.onEpoch()
    await this.#parts.talk.resume()
    await this.#tellWelcomes()
    this.#parts.recovery.update()
    this.#parts.whereabouts.vouchForHead()
    this.#parts.speaker.owe()
    // A commit that was made and not published before a crash is known to nobody.
    this.#parts.shows.want(Math.max(0, headOf(core).epoch - 1))
    this.planUpdate()
    if (core.meta.isLeaving) await this.pursueLeave()
  }

  /** A new epoch is known, made here or by somebody else. */
  async adopt(epoch: Epoch): Promise<void> {
    const core = this.#core
    await core.people.remember(members(epoch.state))
    core.history.advance(epoch.floor)
    if (epoch.floor > core.meta.clock) await writeMeta(core, { clock: epoch.floor })
    this.#parts.shows.saw(epoch.id)
    await this.rechoose()
    await this.#openParked()
  }

  /** Into the branch that others are in, from one that nobody reads any more. */
  async comeBack(state: MlsState, commit: Published): Promise<void> {
    const { floor } = this.#core.meta
    // What it knew before stays: its history begins where it began.
    await this.begin(state, { floor, former: [], commit })
    this.#parts.whereabouts.vouchForHead()
    void publishBytes(this.#core, commit)
    this.#parts.speaker.owe()
  }

  /** Since when members read is a matter of the branch that counts; our own beginning too. */
  async #setFloors(): Promise<void> {
    const core = this.#core
    const chain = core.epochs.chain.reverse()
    for (const { added, floor } of chain) {
      for (const inboxKey of added) await core.people.setFloor(inboxKey, floor)
    }
    const [first] = chain
    if (!first || first.parent || first.floor === core.meta.floor) return
    await writeMeta(core, { floor: first.floor })
    const { clock } = core.history
    core.history = new History(first.floor)
    core.history.advance(clock)
    await loadHistory(core)
  }

  /** Another epoch counts now, perhaps. */
  async rechoose(): Promise<void> {
    const core = this.#core
    const change = core.epochs.choose((id) => this.#witnesses(id))
    if (!change) return
    const { before, isRemoved } = change
    if (isRemoved) return this.end(core.meta.isLeaving ? 'left' : 'removed')
    await this.#setFloors()
    tell(core.ports, { type: 'members', members: memberViews(core) })
    if (before && !core.epochs.chain.includes(before)) this.#planResend()
    await core.epochs.prune(core.ports.clock.now())
    // No rival of the epoch in which one joined can win any more, so no second welcome comes.
    if (core.epochs.chain.at(-1)?.parent) await core.shelf.delete(SHELF_KEYS.keyPackage)
    tell(core.ports, { type: 'inbox-keys', keys: core.epochs.inboxKeys() })
    await this.#parts.talk.settleAll()
    await this.#parts.stewardship.onEpoch()
    await this.#tellWelcomes()
    if (core.meta.isLeaving) await this.pursueLeave()
    this.planUpdate()
  }

  /** Once the branches have settled, own messages of those that lost go out again. */
  #planResend(): void {
    const { ports, serial } = this.#core
    this.#stopResend?.()
    const { showMs } = ports.times
    const waitMs = showMs + exponential(showMs, 8 * showMs, ports.random)
    this.#stopResend = serial.later(waitMs, async () => {
      if (this.#core.epochs.head) await this.#parts.talk.resendLost()
    })
  }

  /** Members who sent messages in an epoch. */
  #witnesses(epochId: string): ReadonlySet<string> {
    const senders = new Set<string>()
    for (const entry of this.#core.history.entries()) {
      if (entry.epochId === epochId) senders.add(entry.sender)
    }
    return senders
  }

  async #openParked(): Promise<void> {
    const { epochs, parked } = this.#core
    if (parked.size === 0 || !epochs.head) return
    await parked.take(epochs.numbers, async (bytes) => {
      if (epochs.head) await receiveBody(this.#core, this.#parts, bytes)
    })
    await parked.forget(Math.min(...epochs.numbers))
  }

  /** Welcomes that are to be carried; again, until they are reported as carried. */
  async #tellWelcomes(): Promise<void> {
    const { ports, shelf } = this.#core
    for (const key of await shelf.list(SHELF_KEYS.welcomes)) {
      const record = await shelf.get(key)
      const [bytes, ...to] = (record && splitParts(record, 1 + MAX_ADDED)) ?? []
      const id = key.slice(SHELF_KEYS.welcomes.length)
      if (bytes) tell(ports, { type: 'welcome', id, to, bytes })
    }
  }

  /** Asks to be removed, after making another admin if there is none. */
  async pursueLeave(): Promise<void> {
    const core = this.#core
    const others = othersOf(core)
    if (others.length === 0) return this.end('left')
    const { stewardship } = this.#parts
    const { data, members: all } = groupOf(core)
    const isLast = data.admins.length === 1 && data.admins.some((key) => nameOf(key) === core.self)
    const heir = all.find(({ inboxKey }) => nameOf(inboxKey) === others[0])
    if (isLast && heir) {
      if (stewardship.hasOwn('role')) return
      await stewardship.ask({ op: 'role', inboxKey: heir.inboxKey, role: 'admin' })
    } else if (!stewardship.hasOwn('leave')) await stewardship.ask({ op: 'leave' })
  }

  /** Nothing can be opened any more; the history stays. */
  async end(reason: 'removed' | 'left'): Promise<void> {
    const core = this.#core
    await writeMeta(core, { ended: reason })
    await this.#erase()
    tell(core.ports, { type: 'inbox-keys', keys: [] })
    tell(core.ports, { type: 'ended', reason })
  }

  async #erase(): Promise<void> {
    const { epochs, shelf } = this.#core
    await epochs.end()
    const { keyPackage, commits, parkeds, requests, welcomes } = SHELF_KEYS
    for (const prefix of [keyPackage, commits, parkeds, requests, welcomes]) {
      for (const key of await shelf.list(prefix)) await shelf.delete(key)
    }
  }

  /** Own keys are renewed by time and by use, at a moment that is not the same for all. */
  planUpdate(): void {
    const { ports, serial, meta, sinceUpdate, epochs } = this.#core
    if (!epochs.head) return
    const isDue = sinceUpdate >= UPDATE_MESSAGES
    if (this.#stopUpdate && !isDue) return
    this.#stopUpdate?.()
    const dueMs = isDue ? 0 : meta.updatedAtMs + UPDATE_MS - ports.clock.now()
    const waitMs =
      Math.max(0, dueMs) + exponential(ports.times.retryMs, 8 * ports.times.retryMs, ports.random)
    this.#core.sinceUpdate = isDue ? 0 : sinceUpdate
    this.#stopUpdate = serial.later(waitMs, async () => {
      this.#stopUpdate = undefined
      await this.update(isDue)
      this.planUpdate()
    })
  }

  /** Renews own keys now, unless it is not due. */
  async update(isWanted: boolean): Promise<void> {
    const { ports, meta, epochs } = this.#core
    const nowMs = ports.clock.now()
    if (!epochs.head || (!isWanted && nowMs < meta.updatedAtMs + UPDATE_MS)) return
    await this.#parts.stewardship.commit()
    await writeMeta(this.#core, { updatedAtMs: nowMs })
  }
}
