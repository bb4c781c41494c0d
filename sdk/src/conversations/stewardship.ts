/** Requests for changes of the group, and who commits them when. */
import { MainframeError } from '@mainframe/protocol'
import { type Committed, epochAuthenticator, members } from '../mls/group.ts'
import { readKeyPackage } from '../mls/key-packages.ts'
import { randomBytes } from '../random.ts'
import { type Core, count, groupOf, headOf, publish, publishBytes } from './core.ts'
import type { Epoch } from './epoch.ts'
import { encodeFloor, encodeWelcome, encodeWelcomeData } from './group-data.ts'
import { MAX_REQUESTS, MAX_REQUESTS_BY_ONE, REQUEST_LIFE_MS } from './limits.ts'
import { bytesOf } from './message.ts'
import { decodeWish, encodeWish, type Wish } from './payloads.ts'
import { nameOf, readerOf, u48 } from './reader.ts'
import { joinParts, SHELF_KEYS, splitParts } from './shelf.ts'
import { isOpen, type Plan, planCommit, type Request, stewards } from './steward.ts'

interface Pending extends Request {
  sinceMs: number
  /** The epoch in which it was found to be settled. */
  doneIn: string | undefined
  /** Stops the next reminder; only of own requests. */
  stop?: () => void
}

export class Stewardship {
  readonly #core: Core
  readonly #adopt: (epoch: Epoch) => Promise<void>
  readonly #pending = new Map<string, Pending>()
  #stopCommit: (() => void) | undefined

  constructor(core: Core, adopt: (epoch: Epoch) => Promise<void>) {
    this.#core = core
    this.#adopt = adopt
  }

  async load(): Promise<void> {
    const { shelf } = this.#core
    for (const key of await shelf.list(SHELF_KEYS.requests)) {
      const record = await shelf.get(key)
      const [from, since, doneIn, wishBytes] = (record && splitParts(record, 4)) ?? []
      const reader = wishBytes && readerOf(wishBytes)
      const wish = reader && decodeWish(reader)
      if (!from || !since || !doneIn || !wish) continue
      const id = key.slice(SHELF_KEYS.requests.length)
      const sinceMs = readerOf(since).u48()
      const pending = await this.#pendingOf({ id, from, wish }, sinceMs)
      if (!pending) continue
      pending.doneIn = doneIn.length > 0 ? nameOf(doneIn) : undefined
      this.#pending.set(id, pending)
      if (nameOf(from) === this.#core.self) this.#planReminder(pending, 0)
    }
  }

  /** Asks for a change. It is durable when this resolves, and done when members change. */
  async ask(wish: Wish): Promise<void> {
    const { ports } = this.#core
    const request = { id: nameOf(randomBytes(16)), from: ports.identity.inboxKey, wish }
    const pending = await this.#pendingOf(request, ports.clock.now())
    if (!pending || !isOpen(groupOf(this.#core), pending)) {
      throw new MainframeError(
        'VALIDATION_FAILED',
        'This change is not possible: only admins add, remove and set roles, and only what is not so yet',
      )
    }
    this.#pending.set(pending.id, pending)
    await this.#write(pending)
    if (this.#rank() !== 0) await this.#say(pending)
    this.#planReminder(pending, 0)
    this.plan()
  }

  /** Whether this client has asked for something that is not settled. */
  hasOwn(op: Wish['op']): boolean {
    return [...this.#pending.values()].some(
      ({ from, wish, doneIn }) =>
        wish.op === op && doneIn === undefined && nameOf(from) === this.#core.self,
    )
  }

  /** A request of another member. */
  async received(from: Uint8Array, id: string, wish: Wish): Promise<string> {
    if (this.#pending.has(id)) return 'request-known'
    const byOne = [...this.#pending.values()].filter((other) => nameOf(other.from) === nameOf(from))
    if (this.#pending.size >= MAX_REQUESTS || byOne.length >= MAX_REQUESTS_BY_ONE) {
      return 'request-flood'
    }
    const pending = await this.#pendingOf({ id, from, wish }, this.#core.ports.clock.now())
    if (!pending) return 'request-invalid'
    if (!isOpen(groupOf(this.#core), pending)) return 'request-idle'
    this.#pending.set(id, pending)
    await this.#write(pending)
    this.plan()
    return 'request'
  }

  /** The newest epoch is another one: requests may be settled, or open again. */
  async onEpoch(): Promise<void> {
    const { epochs, ports } = this.#core
    const chain = new Set(epochs.chain.map(({ id }) => id))
    const group = groupOf(this.#core)
    for (const pending of [...this.#pending.values()]) {
      const { doneIn } = pending
      const isForgotten = doneIn !== undefined && !epochs.get(doneIn)
      const isOld = ports.clock.now() - pending.sinceMs > REQUEST_LIFE_MS
      if (isForgotten || isOld) {
        await this.#remove(pending)
        continue
      }
      const isDone = doneIn !== undefined && chain.has(doneIn)
      if (isDone) continue
      pending.doneIn = isOpen(group, pending) ? undefined : headOf(this.#core).id
      if (pending.doneIn === doneIn) continue
      await this.#write(pending)
      const isOwn = nameOf(pending.from) === this.#core.self
      if (isOwn && pending.doneIn === undefined) this.#planReminder(pending, 0)
    }
    this.plan()
  }

  /** Decides when this client commits, if it does. */
  plan(): void {
    this.#stopCommit?.()
    this.#stopCommit = undefined
    const open = this.#open()
    const rank = this.#rank()
    if (open.length === 0 || rank < 0) return
    const { ports, serial } = this.#core
    const { batchMs, stewardMs } = ports.times
    const askedAtMs = Math.min(...open.map((pending) => pending.sinceMs))
    // The steward itself does not wait anew with each epoch: who commits without end would stop it.
    const sinceMs = rank === 0 ? askedAtMs : Math.max(headOf(this.#core).createdAtMs, askedAtMs)
    const dueMs = sinceMs + batchMs + rank * stewardMs
    const waitMs = Math.max(rank * 10, dueMs - ports.clock.now())
    this.#stopCommit = serial.later(waitMs, async () => {
      this.#stopCommit = undefined
      if (this.#core.epochs.head) await this.#commit()
    })
  }

  #open(): Pending[] {
    const group = groupOf(this.#core)
    return [...this.#pending.values()].filter(
      (pending) => pending.doneIn === undefined && isOpen(group, pending),
    )
  }

  /** Place of this client among the stewards, -1 when it is none. */
  #rank(): number {
    const authenticator = epochAuthenticator(headOf(this.#core).state)
    const order = stewards(groupOf(this.#core), authenticator, this.#open())
    return order.findIndex((key) => nameOf(key) === this.#core.self)
  }

  async #commit(): Promise<void> {
    const own = this.#core.ports.identity.inboxKey
    const group = groupOf(this.#core)
    const plan = planCommit(group, this.#open(), own)
    if (!plan || (await this.commit(plan))) return
    // One of them is to blame: each on its own shows which.
    for (const request of plan.requests) {
      const single = planCommit(group, [request], own)
      if (single && (await this.commit(single))) return
      const pending = this.#pending.get(request.id)
      if (pending) await this.#remove(pending)
      count(this.#core, 'request-impossible')
    }
  }

  /** Commits a plan, or without one renews own keys; false when MLS refuses it. */
  async commit(plan?: Plan): Promise<boolean> {
    const { epochs, history, people, ports } = this.#core
    const floor = history.clock
    const stay = members(headOf(this.#core).state).filter(
      ({ leaf }) => !plan?.remove.includes(leaf),
    )
    const former = people.former(stay)
    const added = plan?.newcomers ?? []
    const changes = {
      ...(plan && { add: plan.add, remove: plan.remove }),
      ...(plan?.groupData && { groupData: plan.groupData }),
      welcomeData: encodeWelcomeData({ floor, former }),
      authenticatedData: encodeFloor(floor),
    }
    try {
      const facts = { committer: this.#core.self, added, floor, nowMs: ports.clock.now() }
      const { epoch, published } = await epochs.commit(changes, facts, async (committed) => {
        if (committed.welcome) await this.#keepWelcome(committed, added)
      })
      void publishBytes(this.#core, published)
      await this.#adopt(epoch)
      return true
    } catch (error) {
      if (error instanceof MainframeError && error.code === 'VALIDATION_FAILED') return false
      throw error
    }
  }

  async #keepWelcome(
    { welcome = new Uint8Array(), commit }: Committed,
    added: readonly Uint8Array[],
  ): Promise<void> {
    const id = nameOf(randomBytes(16))
    const { publicKey } = headOf(this.#core).inboxKey
    const bytes = encodeWelcome({ commit: { bytes: commit, sealFor: publicKey }, welcome })
    await this.#core.shelf.set(SHELF_KEYS.welcome(id), joinParts(bytes, ...added))
  }

  async #pendingOf(request: Request, sinceMs: number): Promise<Pending | undefined> {
    const pending = { ...request, sinceMs, doneIn: undefined }
    if (request.wish.op !== 'add') return pending
    const owner = await readKeyPackage(this.#core.ports.mls, request.wish.keyPackage)
    return owner && { ...pending, newcomer: owner.inboxKey }
  }

  async #say({ id, wish }: Pending): Promise<void> {
    await publish(this.#core, { kind: 'request', id, wish })
  }

  #planReminder(pending: Pending, round: number): void {
    const { ports, serial, epochs } = this.#core
    const waitMs = Math.min(ports.times.retryMs * 2 ** round, ports.times.lastRetryMs)
    pending.stop?.()
    pending.stop = serial.later(waitMs, async () => {
      if (!this.#pending.has(pending.id) || !epochs.head) return
      if (pending.doneIn !== undefined) return
      await this.#say(pending)
      this.plan()
      this.#planReminder(pending, round + 1)
    })
  }

  async #write({ id, from, sinceMs, doneIn, wish }: Pending): Promise<void> {
    const record = joinParts(from, u48(sinceMs), bytesOf(doneIn ?? ''), encodeWish(wish))
    await this.#core.shelf.set(SHELF_KEYS.request(id), record)
  }

  async #remove(pending: Pending): Promise<void> {
    pending.stop?.()
    this.#pending.delete(pending.id)
    await this.#core.shelf.delete(SHELF_KEYS.request(pending.id))
  }
}
