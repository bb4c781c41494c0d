/** The paid connection to the entry relay: chosen, opened, kept in credit, replaced when it fails. */
import {
  type CreditStop,
  errorCode,
  type Hex,
  MainframeError,
  type PacketRefusal,
  type PayerChannel,
  PayerLink,
} from '@mainframe/protocol'
import { type Clock, sleep } from '../clock.ts'
import type { Directory } from '../directory/directory.ts'
import type { Experience } from '../directory/experience.ts'
import type { DirectoryView, Relay } from '../directory/relay.ts'
import type { Settings } from '../options.ts'
import type { ChannelContext } from '../payments/channels.ts'
import { noTaker, takersIn } from '../payments/medium.ts'
import type { EntrySide, ParcelShipment } from './courier.ts'
import { type FundedLink, keepCredit } from './credit.ts'
import type { Guards } from './guards.ts'
import type { Connect, Connection } from './host.ts'
import { openPaidLink } from './open-paid-link.ts'

/** What an entry connection tells; the courier listens. */
export interface EntryListener {
  /** Packets may be sent: the link is new, or got credit. */
  onReady(): void
  onAccepted(shipment: ParcelShipment): void
  onRefused(shipment: ParcelShipment, reason: PacketRefusal): void
  onLinkClosed(unacknowledged: readonly ParcelShipment[]): void
  /** Nothing can be sent until somebody does something about it. */
  onFatal(error: unknown): void
  /** Another relay is the entry now. */
  onRelay(relay: Relay): void
}

export interface EntryOptions {
  channels: ChannelContext
  directory: Directory
  guards: Guards
  experience: Experience
  connect: Connect
  clock: Clock
  settings: Settings
  /** Operators of the relays that we receive from: they should not see what we send. */
  avoidedOperators(): ReadonlySet<Hex>
  listener: EntryListener
}

interface Open extends FundedLink {
  relay: Relay
  link: PayerLink<ParcelShipment>
  connection: Connection
  /** Whether it has taken a packet on this link. */
  hasServed: boolean
  /** Whether it is we who end the link. */
  isLeft: boolean
}

interface OpenWithChannel {
  open: Open
  channel: PayerChannel
}

/** Errors that no other relay and no wait mends. */
const FATAL: ReadonlySet<string | undefined> = new Set([
  'PAYMENT_INSUFFICIENT',
  'PAYMENT_BUDGET',
  'CHAIN_REJECTED',
  'CHAIN_MISMATCH',
  'INDEXER_INVALID',
  'STORE_FAILED',
  'STORE_CORRUPT',
])
const NO_MEDIUM = 'PAYMENT_NO_MEDIUM'
const NO_BUDGET = 'PAYMENT_BUDGET'
export class Entry implements EntrySide {
  readonly #options: EntryOptions
  readonly #ended = new AbortController()
  #open: Open | undefined
  #chosen: Relay | undefined
  /** Decided on before anything was sent, and not tried yet. */
  #decided: Relay | undefined
  #connecting: Promise<Open> | undefined
  #cancelRetry: (() => void) | undefined
  #failedPasses = 0
  #trouble: unknown

  constructor(options: EntryOptions) {
    this.#options = options
  }

  get current(): Open | undefined {
    return this.#open
  }

  /** The relay that is, or will be, the entry as far as is known. */
  get relay(): Relay | undefined {
    return this.#open?.relay ?? this.#chosen
  }

  /** Why there is no connection, when the last attempt failed. */
  get trouble(): unknown {
    return this.#open ? undefined : this.#trouble
  }

  /** Decides on the entry before anything is sent, so that no subscription is made there. */
  choose(view: DirectoryView): Relay | undefined {
    const { guards, clock, settings, avoidedOperators } = this.#options
    const takers = takersIn(view, settings.medium)
    const [first] = guards.candidates(takers, avoidedOperators(), clock.now())
    if (!this.#chosen) this.#decided = first
    this.#chosen ??= first
    return this.#chosen
  }

  wake(): void {
    if (this.#open || this.#connecting || this.#cancelRetry || this.#isEnded) return
    this.connect().catch((error: unknown) => this.#onFailed(error))
  }

  /**
   * Connects and opens a channel if that is not done yet. Throws what stands in the way after every
   * candidate was tried: `NETWORK_NO_RELAY`, `PAYMENT_INSUFFICIENT`, `INDEXER_INVALID`…
   */
  async connect(): Promise<Open> {
    if (this.#open) return this.#open
    this.#connecting ??= this.#tryCandidates()
      .catch((error: unknown) => {
        this.#trouble = error
        throw error
      })
      .finally(() => {
        this.#connecting = undefined
      })
    return await this.#connecting
  }

  outgrown(): void {
    const open = this.#open
    if (!open) return
    void this.#drop(open)
  }

  /**
   * Nothing comes through the entry relay: others are tried, and this one is the first no more. The
   * hops were blamed for what it swallowed.
   */
  async distrust(): Promise<void> {
    const open = this.#open
    if (!open) return
    const { guards, clock, experience, settings, listener } = this.#options
    const nowMs = clock.now()
    experience.acquit()
    experience.unreachable(open.relay.nodeId, nowMs)
    guards.rest(open.relay, nowMs + settings.profile.restMs)
    await guards.unpin(open.relay.nodeId)
    await this.#drop(open)
    listener.onReady()
  }

  /** Leaves the entry relay; the next packet connects anew. */
  async disconnect(): Promise<void> {
    if (this.#open) await this.#drop(this.#open)
  }

  async close(): Promise<void> {
    this.#ended.abort(new MainframeError('NETWORK_CLOSED', 'The client was closed'))
    this.#cancelRetry?.()
    await this.disconnect()
    await this.#connecting?.catch(() => {})
  }

  get #isEnded(): boolean {
    return this.#ended.signal.aborted
  }

  #onFailed(error: unknown): void {
    if (this.#isEnded) return
    if (!isFatal(error)) this.#retryLater()
    else {
      if (errorCode(error) === NO_BUDGET) void this.#retryTomorrow()
      this.#options.listener.onFatal(error)
    }
  }

  /** With the day's budget spent, only a new day helps: what waits to be answered is answered then. */
  async #retryTomorrow(): Promise<void> {
    const { channels, clock } = this.#options
    const { resetsAtMs } = await channels.budget.today()
    if (!this.#isEnded) this.#retryAfter(resetsAtMs - clock.now())
  }

  #retryLater(): void {
    const { firstWaitMs, restMs } = this.#options.settings.profile
    this.#retryAfter(Math.min(restMs, firstWaitMs * 2 ** Math.min(10, this.#failedPasses)))
  }

  #retryAfter(waitMs: number): void {
    const { clock, listener } = this.#options
    this.#cancelRetry?.()
    this.#cancelRetry = clock.after(waitMs, () => {
      this.#cancelRetry = undefined
      listener.onReady()
    })
  }

  async #tryCandidates(): Promise<Open> {
    const { channels, directory, guards, clock } = this.#options
    const { experience, settings, avoidedOperators } = this.#options
    await channels.budget.assertLeft()
    const view = await directory.fresh()
    const takers = takersIn(view, settings.medium)
    const candidates = guards.candidates(takers, avoidedOperators(), clock.now())
    if (candidates.length === 0) throw noTaker(settings.medium)
    const isDecided = ({ nodeId }: Relay) => Number(nodeId === this.#decided?.nodeId)
    candidates.sort((a, b) => isDecided(b) - isDecided(a)) // ranks are drawn anew each time
    this.#decided = undefined
    const errors: unknown[] = []
    for (const relay of candidates) {
      this.#choose(relay)
      try {
        const { open, channel } = await this.#tryRelay(relay, view)
        await guards.pin(relay)
        experience.connected(relay.nodeId, clock.now())
        this.#failedPasses = 0
        this.#trouble = undefined
        this.#use(open, channel)
        return open
      } catch (error) {
        if (this.#isEnded || FATAL.has(errorCode(error))) throw error
        guards.rest(relay, clock.now() + settings.profile.restMs)
        experience.unreachable(relay.nodeId, clock.now())
        errors.push(error)
      }
    }
    this.#failedPasses += 1
    directory.outdate()
    if (errors.every((error) => errorCode(error) === NO_MEDIUM)) throw noTaker(settings.medium)
    throw new MainframeError(
      'NETWORK_NO_RELAY',
      'No relay can be used as entry; check your connection',
      { cause: errors.at(-1), retryable: true },
    )
  }

  async #tryRelay(relay: Relay, view: DirectoryView): Promise<OpenWithChannel> {
    const { clock, settings } = this.#options
    const { tries, firstWaitMs } = settings.profile
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#openAt(relay, view)
      } catch (error) {
        const mayPass = error instanceof MainframeError && error.retryable
        if (this.#isEnded || !mayPass || attempt >= tries) throw error
        await sleep(clock, firstWaitMs * 2 ** (attempt - 1), this.#ended.signal)
      }
    }
  }

  async #openAt(relay: Relay, view: DirectoryView): Promise<OpenWithChannel> {
    const createLink = (connection: Connection) => this.#createLink(connection)
    const { signal } = this.#ended
    const opened = await openPaidLink(relay, view, { ...this.#options, signal, createLink })
    const { link, connection, channel } = opened
    const state = { unseenSinceMs: undefined, hasServed: false, isLeft: false }
    return { open: { relay, link, connection, ...state }, channel }
  }

  #createLink({ stream }: Connection): PayerLink<ParcelShipment> {
    const { listener } = this.#options
    const link: PayerLink<ParcelShipment> = new PayerLink<ParcelShipment>(stream, {
      onAccepted: (shipment) => {
        if (this.#open?.link === link) this.#open.hasServed = true
        listener.onAccepted(shipment)
      },
      onRefused: (shipment, reason) => listener.onRefused(shipment, reason),
      onCredit: () => {
        if (this.#open?.link === link) this.#open.unseenSinceMs = undefined
        listener.onReady()
      },
      onCreditStopped: (reason) => void this.#onStopped(link, reason),
      onClosed: (unacknowledged) => {
        this.#forget(link, unacknowledged)
        listener.onLinkClosed(unacknowledged)
      },
    })
    return link
  }

  #choose(relay: Relay): void {
    const isOther = this.#chosen?.nodeId !== relay.nodeId
    this.#chosen = relay
    if (isOther) this.#options.listener.onRelay(relay)
  }

  #use(open: Open, channel: PayerChannel): void {
    if (this.#isEnded || open.link.isClosed) {
      void this.#drop(open)
      throw this.#isEnded ? this.#ended.signal.reason : closedMeanwhile(open.relay)
    }
    this.#open = open
    open.link.fund(channel)
    this.#options.listener.onReady()
  }

  /** A relay that hangs up on packets and took none may want the vouchers alone: it has to wait. */
  #forget(link: PayerLink<ParcelShipment>, unacknowledged: readonly ParcelShipment[]): void {
    const open = this.#open
    if (open?.link !== link) return
    this.#open = undefined
    const { guards, clock, settings } = this.#options
    const isUseless = !open.hasServed && !open.isLeft && unacknowledged.length > 0
    if (isUseless) guards.rest(open.relay, clock.now() + settings.profile.restMs)
    void open.connection.close()
  }

  async #drop(open: Open): Promise<void> {
    open.isLeft = true
    await open.link.close()
    await open.connection.close()
  }

  async #onStopped(link: PayerLink<ParcelShipment>, reason: CreditStop): Promise<void> {
    const open = this.#open
    if (open?.link !== link) return
    const outcome = await keepCredit(open, reason, { ...this.#options, signal: this.#ended.signal })
    if (outcome === 'kept') return
    const { guards, clock, settings, listener } = this.#options
    const isOurs = errorCode(outcome.error) === NO_BUDGET
    if (!isOurs) guards.rest(open.relay, clock.now() + settings.profile.restMs)
    await this.#drop(open)
    if (outcome.error !== undefined && isFatal(outcome.error)) this.#onFailed(outcome.error)
    else listener.onReady()
  }
}

/** That no relay takes what we pay with waits for the user as well; that one does not, for no one. */
function isFatal(error: unknown): boolean {
  const code = errorCode(error)
  return code === NO_MEDIUM || FATAL.has(code)
}

function closedMeanwhile({ nodeId }: Relay): MainframeError {
  return new MainframeError('NETWORK_CLOSED', 'The relay closed the link; it is tried again', {
    details: { nodeId },
    retryable: true,
  })
}
