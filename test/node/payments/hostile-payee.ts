/** A registered relay that is no relay: it answers those who dial it as badly as a test wants. */
import {
  type ByteStream,
  fromHex,
  type Quote,
  signQuote,
  toHex,
  unitsToBase,
} from '@mainframe/protocol'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import type { Subscriptions } from '../../../node/src/holding/subscriptions.ts'
import { Network } from '../../../node/src/links/network.ts'
import type { OwnQuotes } from '../../../node/src/links/own-quote.ts'
import { type PayeeHost, PayeeLink } from '../../../node/src/links/payee-link.ts'
import type { TestRelay } from '../support/network.ts'

/** Where it listens, and how it behaves. */
export interface HostileOptions {
  relay: TestRelay
  /** The relay as the chain has it. */
  entry(): RelayEntry
  /** What its quotes say otherwise than the board: on the first link, the second, and so on. */
  quotes: readonly Partial<Quote>[]
  /** Somebody opened a link. */
  onLink(): void
}

export class HostilePayee {
  /** From when on it acknowledges nothing. */
  isSilent = false
  /** What it was promised and has debited, on all links. */
  readonly account = {
    channelId: toHex(new Uint8Array(32)),
    spentUnits: 0,
    durableUnits: 0,
    boundTo: undefined as object | undefined,
  }
  readonly #options: HostileOptions
  readonly #network: Network
  readonly #links = new Set<PayeeLink>()
  #linksSoFar = 0

  private constructor(options: HostileOptions) {
    this.#options = options
    const { config, keys } = options.relay
    this.#network = new Network({
      nodeSeed: keys.nodeSeed,
      listen: config.listen,
      maxConnections: 50,
      maxConnectionsPerSecond: 1_000,
    })
  }

  /** Listens where the relay is registered. */
  static async start(options: HostileOptions): Promise<HostilePayee> {
    const payee = new HostilePayee(options)
    await payee.#network.start((stream) => payee.#serve(stream))
    return payee
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.close()))
    await this.#network.stop()
  }

  #serve(stream: ByteStream): void {
    const { quotes, onLink } = this.#options
    const link = new PayeeLink(stream, this.#host(quotes[this.#linksSoFar] ?? {}))
    this.#linksSoFar += 1
    onLink()
    this.#links.add(link)
    void link.run().then(() => this.#links.delete(link))
  }

  #host(quote: Partial<Quote>): PayeeHost {
    const { deployment } = this.#options.relay.config
    const { account } = this
    return {
      chainId: deployment.chainId,
      channels: fromHex(deployment.channels, 20),
      quotes: () => this.#quotes(quote),
      ledger: {
        offer: async ({ amount }, link) => {
          account.durableUnits = Number(amount / unitsToBase(1))
          account.boundTo = link
          return { outcome: 'accepted', account }
        },
      },
      releases: {
        ask: async () => ({ outcome: 'busy', finalAmount: 0n, signature: new Uint8Array(64) }),
      },
      receive: ({ postageUnits }) => {
        account.spentUnits += postageUnits
        return 'held'
      },
      holds: {
        pendingBytes: 0,
        flush: () => (this.isSilent ? new Promise(() => {}) : Promise.resolve()),
      },
      subscriptions: {} as Subscriptions,
      onCredit: () => {},
      onRelease: () => {},
      onFault: () => {},
      onFailure: () => {},
    }
  }

  #quotes(changes: Partial<Quote>): OwnQuotes {
    const { relay, entry } = this.#options
    const { deployment, maxWindowUnits, confirmations, noticeSeconds } = relay.config
    const { nodeId, row, prices } = entry()
    if (!prices) throw new TypeError('The hostile relay has no prices in force')
    const quote: Quote = {
      nodeId,
      payee: fromHex(row.payee),
      token: fromHex(deployment.token, 20),
      ...prices,
      minDepositBase: 10n * unitsToBase(maxWindowUnits),
      noticeSeconds,
      maxWindowUnits,
      confirmations,
      baseUnitsPerUnit: unitsToBase(1),
      expiresAtSeconds: Math.floor(Date.now() / 1000) + 600,
      ...changes,
    }
    const contract = fromHex(deployment.channels, 20)
    const domain = { chainId: BigInt(deployment.chainId), contract }
    const signed = [signQuote(relay.keys.nodeSeed, quote, domain)]
    return { signed, prices: quote, expiresAtSeconds: quote.expiresAtSeconds }
  }
}
