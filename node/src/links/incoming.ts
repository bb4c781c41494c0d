/** The incoming links: accepted within limits, served, and ended together. */
import {
  type ByteStream,
  CREDIT_OUTCOMES,
  type CreditOutcome,
  MainframeError,
  RELEASE_OUTCOMES,
  type ReleaseOutcome,
  toHex,
} from '@mainframe/protocol'
import { type Counts, createCounts } from '../routing/outcomes.ts'
import { LINK_FAULTS, type LinkFault, type PayeeHost, PayeeLink } from './payee-link.ts'

export interface IncomingOptions extends Omit<PayeeHost, 'onCredit' | 'onRelease' | 'onFault'> {
  maxLinks: number
  /** Somebody holds a link to us under this key. */
  onPeer(peerKey: string): void
}

/** Links of one peer: one that works, and those that it has not noticed to be dead. */
const LINKS_PER_PEER = 4

export class IncomingLinks {
  readonly #options: IncomingOptions
  readonly #links = new Map<PayeeLink, Promise<void>>()
  readonly #perPeer = new Map<string, number>()
  readonly credits: Counts<CreditOutcome> = createCounts(CREDIT_OUTCOMES)
  readonly releases: Counts<ReleaseOutcome> = createCounts(RELEASE_OUTCOMES)
  readonly faults: Counts<LinkFault> = createCounts(LINK_FAULTS)
  #stopped = false

  constructor(options: IncomingOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#links.size
  }

  /** Frames that wait for all peers together. */
  get unread(): number {
    let sum = 0
    for (const link of this.#links.keys()) sum += link.unread
    return sum
  }

  accept(stream: ByteStream, remoteKey: Uint8Array): void {
    const peerKey = toHex(remoteKey)
    const ofPeer = this.#perPeer.get(peerKey) ?? 0
    const hasRoom = this.#links.size < this.#options.maxLinks && ofPeer < LINKS_PER_PEER
    if (this.#stopped || !hasRoom) {
      if (!hasRoom) this.faults['too-many-links'] += 1
      stream.abort(new MainframeError('NETWORK_CLOSED', 'No further link is accepted'))
      return
    }
    const link = new PayeeLink(stream, {
      ...this.#options,
      onCredit: (outcome) => {
        this.credits[outcome] += 1
      },
      onRelease: (outcome) => {
        this.releases[outcome] += 1
      },
      onFault: (fault) => {
        this.faults[fault] += 1
      },
    })
    this.#perPeer.set(peerKey, ofPeer + 1)
    this.#links.set(link, this.#serve(link, peerKey))
    this.#options.onPeer(peerKey)
  }

  /** Says BYE on every link. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#links.keys()].map((link) => link.close()))
    await Promise.all(this.#links.values())
  }

  async #serve(link: PayeeLink, peerKey: string): Promise<void> {
    await link.run()
    this.#links.delete(link)
    const left = (this.#perPeer.get(peerKey) ?? 1) - 1
    if (left > 0) this.#perPeer.set(peerKey, left)
    else this.#perPeer.delete(peerKey)
  }
}
