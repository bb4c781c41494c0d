import { encodeContactCode, type Hex } from '@mainframe/protocol'
import { type Balance, balance } from './actions/balance.ts'
import { closeChannel } from './actions/close-channel.ts'
import { type DiscoverParameters, type DiscoverResult, discover } from './actions/discover.ts'
import { type Estimate, type EstimateParameters, estimate } from './actions/estimate.ts'
import { type Health, health } from './actions/health.ts'
import { messages } from './actions/messages.ts'
import type { MessengerParameters } from './actions/messenger.ts'
import { type OpenedChannel, openChannel } from './actions/open-channel.ts'
import { type SendParameters, type Sent, send } from './actions/send.ts'
import { type Spending, spending } from './actions/spending.ts'
import { sleep, systemClock } from './clock.ts'
import type { ClientContext } from './context.ts'
import type { MessageHandler, ReceivedMessage } from './messages/deliveries.ts'
import type { Messenger } from './messenger/messenger.ts'
import { Once } from './messenger/once.ts'
import { closeContext, createContext } from './opening.ts'
import type { MainframeOptions } from './options.ts'
import type { CloseOutcome } from './payments/close-channel.ts'
import { createBackup, restoreBackup } from './store/backup.ts'
import {
  changePassphrase,
  type OpenedStore,
  openStore,
  type RestoreOptions,
} from './store/opened-store.ts'

/** How long {@link Mainframe.close} waits for acknowledgements that are about to leave. */
const GRACE_MS = 2_000
const GRACE_STEP_MS = 20

/**
 * A client: one inbox, one paying account. It receives from the moment it is open, and connects to
 * its entry relay when there is something to send.
 *
 * @example
 * const client = await Mainframe.open({ network, account, store: fileStore('alice') })
 * client.onMessage(async ({ from, bytes }) => { await client.send(from, bytes) })
 * const sent = await client.send(contactCode, new TextEncoder().encode('hello'))
 * await sent.delivered
 * await client.close()
 */
export class Mainframe {
  /** The code that others send to, such as `mf1…`. */
  readonly contactCode: string
  readonly #context: ClientContext
  readonly #store: OpenedStore
  readonly #ended = new AbortController()
  readonly #messenger = new Once<Messenger>()

  private constructor(context: ClientContext, store: OpenedStore) {
    this.#context = context
    this.#store = store
    this.contactCode = encodeContactCode(context.keyPair.publicKey)
  }

  /**
   * Opens the store, checks the chain and the indexer's relays, and begins to receive. Throws
   * `CONFIG_INVALID`, `STORE_LOCKED`, `STORE_PASSPHRASE`, `CHAIN_MISMATCH`, `CHAIN_UNREACHABLE`,
   * `INDEXER_UNREACHABLE`, `INDEXER_INVALID`, `NETWORK_NO_RELAY`.
   */
  static async open(options: MainframeOptions): Promise<Mainframe> {
    const store = await openStore(options)
    let context: ClientContext | undefined
    try {
      context = await createContext({ ...options, store })
      await context.inbox.start()
      return new Mainframe(context, store)
    } catch (error) {
      if (context) await closeContext(context)
      await store.close()
      throw error
    }
  }

  /**
   * Puts a backup into an empty store, which {@link open} then takes. Two clients of one inbox would
   * take each other's messages away: close the old one first. Throws `CODEC_INVALID`,
   * `STORE_PASSPHRASE`, `STORE_CORRUPT`, `CONFIG_INVALID`.
   */
  static async restore(options: RestoreOptions): Promise<void> {
    const store = await openStore(options)
    try {
      await restoreBackup(store, options.backup, options.backupPassphrase)
    } finally {
      await store.close()
    }
  }

  /** The account that pays. */
  get account(): Hex {
    return this.#context.account.address
  }

  /** Resolves when everything that relays held at the start was delivered; not needed to send. */
  get caughtUp(): Promise<void> {
    return this.#context.inbox.caughtUp
  }

  /** Node ids of the entry relay, as far as it is decided, and of those that deliver. */
  get relays(): { entry: Hex | undefined; subscriptions: Hex[] } {
    const { entry, inbox } = this.#context
    return {
      entry: entry.relay?.nodeId,
      subscriptions: inbox.relays.map(({ relay }) => relay.nodeId),
    }
  }

  /** Relays that carry packets, checked on chain and ranked. Throws `INDEXER_UNREACHABLE`, `INDEXER_INVALID`, `NETWORK_NO_RELAY`, `CHAIN_UNREACHABLE`. */
  discover(parameters?: DiscoverParameters): Promise<DiscoverResult> {
    return discover(this.#context, parameters)
  }

  /** What a message of so many bytes would cost and whom it would reach, before it is sent. */
  estimate(length: number, parameters?: Omit<EstimateParameters, 'length'>): Promise<Estimate> {
    return estimate(this.#context, { ...parameters, length })
  }

  /** Opens the channel to the entry relay now, not with the first message. */
  openChannel(): Promise<OpenedChannel> {
    return openChannel(this.#context)
  }

  /**
   * Sends bytes to an inbox, and again until they are acknowledged. Given up when the client is
   * closed: messages that survive a restart are those of {@link messenger}. Rejects with `VALIDATION_FAILED`,
   * `MESSAGE_TOO_LONG`, `NETWORK_NO_RELAY`, `PAYMENT_INSUFFICIENT`…
   */
  send(
    to: string,
    bytes: Uint8Array,
    parameters?: Omit<SendParameters, 'to' | 'bytes'>,
  ): Promise<Sent> {
    return send(this.#context, { ...parameters, to, bytes })
  }

  /** Messages wait until there is a handler. Returns how to remove it. */
  onMessage(handler: MessageHandler): () => void {
    return this.#context.receiver.handle(handler)
  }

  /** The same as {@link onMessage} as a loop; ends with the client. */
  messages(): AsyncGenerator<ReceivedMessage, void, void> {
    return messages(this.#context, { signal: this.#ended.signal })
  }

  /**
   * Contacts and private conversations; opened at the first call, closed with the client. What is not
   * for it goes on to {@link onMessage}. Throws `STORE_CORRUPT`; the next call tries again then.
   */
  messenger(parameters: MessengerParameters = {}): Promise<Messenger> {
    return this.#messenger.get(() => this.#openMessenger(parameters))
  }

  /** What the account has, and what lies in channels and the vault. */
  balance(): Promise<Balance> {
    return balance(this.#context)
  }

  /** What does not work, and why; asks the chain and the store. Never rejects. */
  health(): Promise<Health> {
    return health(this.#context)
  }

  /** Where money went: by relay, by channel, and today. */
  spending(): Promise<Spending> {
    return spending(this.#context)
  }

  /** Asks the relays of all channels to let go of them, and withdraws what is not spent. */
  closeChannel(): Promise<CloseOutcome[]> {
    return closeChannel(this.#context)
  }

  /**
   * The store in one encrypted file, but for the key that signs vouchers: a client that is restored
   * opens channels of its own. Throws `CONFIG_INVALID` for an empty passphrase.
   */
  async backup(passphrase: string): Promise<Uint8Array> {
    return await createBackup(this.#store, passphrase)
  }

  /** From now on another passphrase opens the store. Throws `CONFIG_INVALID` where there is none yet. */
  async changePassphrase(passphrase: string): Promise<void> {
    await changePassphrase(this.#store, passphrase)
  }

  /**
   * Ends the client. Messages that are not delivered are given up with `NETWORK_CLOSED`; relays go on
   * holding what they have of them. Keys and channels stay in the store.
   */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    await (await this.#messenger.current())?.close()
    const { outbox } = this.#context
    for (let waited = 0; !outbox.hasAnswered && waited < GRACE_MS; waited += GRACE_STEP_MS) {
      await sleep(systemClock, GRACE_STEP_MS)
    }
    await closeContext(this.#context)
    await this.#store.close()
  }

  async #openMessenger(parameters: MessengerParameters): Promise<Messenger> {
    // loaded only now: who sends bytes alone needs neither MLS nor its key encapsulation
    const { openMessenger } = await import('./actions/messenger.ts')
    return await openMessenger(this.#context, parameters)
  }
}
