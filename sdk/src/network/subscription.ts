/** One relay that delivers: connected under an identity of its own, resumed from a cursor. */
import { type Deployment, discloseAddress, PayerLink } from '@mainframe/protocol'
import { type Clock, sleep } from '../clock.ts'
import type { Relay } from '../directory/relay.ts'
import type { Intake } from '../messages/intake.ts'
import type { Profile } from '../profiles.ts'
import { greet } from './greeting.ts'
import type { Connect, Connection } from './host.ts'

/** `replaying`: what was held meanwhile is on its way; `current`: up to date. */
export type SubscriptionState = 'connecting' | 'replaying' | 'current' | 'ended'

export interface SubscriptionOptions {
  relay: Relay
  deployment: Deployment
  connect: Connect
  clock: Clock
  profile: Profile
  /** Address of the inbox. */
  inbox: Uint8Array
  /** Bits of it that the relay may know. */
  bits(): number
  /** Where to resume, 0 for everything that is held. */
  cursor(): Promise<number>
  onPacket(packet: Uint8Array, cursor: number): void
  /** Where packets go: how much it takes, and when it is done with them. */
  intake: Pick<Intake, 'after' | 'whenRoom'>
  onState(): void
  /** The relay cannot be reached after several attempts. */
  onDead(): void
}

export class Subscription {
  readonly relay: Relay
  readonly #options: SubscriptionOptions
  readonly #ended = new AbortController()
  #link: PayerLink | undefined
  #running: Promise<void> = Promise.resolve()
  #state: SubscriptionState = 'connecting'
  #bits = 0

  constructor(options: SubscriptionOptions) {
    this.relay = options.relay
    this.#options = options
  }

  get state(): SubscriptionState {
    return this.#state
  }

  /** Connects, and again whenever the link ends, until the relay is dead or {@link close} is called. */
  start(): void {
    this.#running = this.#run()
  }

  /** Asks anew when the network's luminosity has changed. */
  async renew(): Promise<void> {
    if (this.#link && this.#bits !== this.#options.bits()) await this.#subscribe(this.#link)
  }

  /** Asks anew for what comes after the cursor. */
  async again(): Promise<void> {
    if (this.#link) await this.#subscribe(this.#link)
  }

  /** Resolves when its connection is gone, also one that was only being made. */
  async close(): Promise<void> {
    this.#ended.abort()
    this.#become('ended')
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, profile, onDead } = this.#options
    const { signal } = this.#ended
    let failures = 0
    while (!signal.aborted && failures < profile.tries) {
      const wasUseful = await this.#serve().catch(() => false)
      if (signal.aborted) return
      failures = wasUseful ? 1 : failures + 1
      this.#become('connecting')
      if (failures === profile.tries) break
      const waitMs = profile.firstWaitMs * 2 ** (failures - 1)
      await sleep(clock, waitMs, signal).catch(() => {}) // ended: the loop sees it
    }
    if (signal.aborted) return
    this.#become('ended')
    onDead()
  }

  /** One link from beginning to end; whether it brought anything. */
  async #serve(): Promise<boolean> {
    const { relay, connect, deployment } = this.#options
    const { signal } = this.#ended
    const connection = await connect(relay, signal)
    const { link, wasUseful } = this.#createLink(connection)
    const onAbort = () => void link.close()
    signal.addEventListener('abort', onAbort)
    try {
      if (signal.aborted) return false
      await greet(link, deployment)
      this.#link = link
      this.#become('replaying')
      await this.#subscribe(link)
      await link.closed
      return wasUseful()
    } finally {
      this.#link = undefined
      signal.removeEventListener('abort', onAbort)
      await link.close()
      await connection.close()
    }
  }

  #createLink({ stream }: Connection): { link: PayerLink; wasUseful: () => boolean } {
    const { intake } = this.#options
    let isUseful = false
    const link: PayerLink = new PayerLink(stream, {
      onDeliver: (packet, cursor) => {
        isUseful = true
        this.#options.onPacket(packet, cursor)
      },
      onCaughtUp: () => {
        isUseful = true
        intake.after(() => {
          if (this.#link === link) this.#become('current')
        })
      },
      whenRoom: () => intake.whenRoom(),
    })
    return { link, wasUseful: () => isUseful }
  }

  async #subscribe(link: PayerLink): Promise<void> {
    const { inbox, bits, cursor } = this.#options
    this.#bits = bits()
    link.subscribe({
      bits: this.#bits,
      prefix: discloseAddress(inbox, this.#bits),
      cursor: await cursor(),
    })
  }

  #become(state: SubscriptionState): void {
    if (this.#state === state || this.#state === 'ended') return
    this.#state = state
    this.#options.onState()
  }
}
