/** The relay's double-entry ledger: gathers what happened now and then, and enters it durably. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Hex } from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import type { CreditLedger } from '../payments/credit-ledger.ts'
import type { SignedAmount } from '../payments/signed-log.ts'
import type { StoredVoucher } from '../payments/voucher-log.ts'
import { balanceOf } from './book.ts'
import { type Cash, settleCash } from './cash.ts'
import type { ChargeMeter } from './charges.ts'
import { dayOf, startOfDay } from './days.ts'
import { type Facts, gatherFacts, type IncomingFacts } from './facts.ts'
import type { GasMeter } from './gas-meter.ts'
import type { Journal } from './journal.ts'
import { type Earned, settleIncoming, settleOutgoing } from './settle.ts'

export interface AccountsOptions {
  journal: Pick<Journal, 'book' | 'dayAt' | 'write'>
  directory: Pick<Directory, 'channels' | 'earlierClaims' | 'confirmedBlock'>
  /** What is durable of vouchers received and amounts signed, by channel id. */
  vouchers: ReadonlyMap<string, StoredVoucher>
  signed: ReadonlyMap<string, SignedAmount>
  ledger: Pick<CreditLedger, 'creditOf' | 'rateOf'>
  charges: ChargeMeter
  gas: GasMeter
  /** Wallet, vault and stake as of a block; may reject. */
  cashAt(block: number): Promise<Cash>
  /** The hot account and the token of the stake, in lower case. */
  account: Hex
  token: Hex
  /** Tokens that this relay takes or pays with, in lower case. */
  media: readonly Hex[]
  /** The disk refused: the relay cannot go on. */
  onFailure(error: unknown): void
  /** Told what the ledger had not known of at the start, in base units of a token. */
  onUnattributed?(base: bigint, medium: Hex): void
  /** How often to write; a kill makes nameless at most what was earned in this time. */
  flushMs?: number
  now?: () => number
}

/** What was the case when the ledger was last brought up to date. */
export interface Moment {
  block: number
  /** False when the chain did not tell wallet and vault. */
  hasCash: boolean
  vouchers: ReadonlyMap<string, StoredVoucher>
  signed: ReadonlyMap<string, SignedAmount>
}

const DEFAULT_FLUSH_MS = 60_000
/** A chain that takes longer is asked again the next time. */
const CASH_TIMEOUT_MS = 10_000
/** A timer may be a little early, and must not end before the day does. */
const MIDNIGHT_SLACK_MS = 20

export class Accounts {
  readonly #options: AccountsOptions
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  #tail: Promise<unknown> = Promise.resolve()
  /** When the time began that the next writing is about. */
  #sinceMs: number
  /** As what credit that nobody can spend any more is entered: of the last run, at first. */
  #leftover: Earned['leftover']
  #stopped = false

  constructor(options: AccountsOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#sinceMs = this.#now()
    this.#leftover = options.journal.book.sheet?.isClosing ? 'retired' : 'unattributed'
  }

  /** Enters what happened while nobody kept the ledger, then goes on by itself. Errors as {@link flush}. */
  async start(): Promise<void> {
    const { book } = this.#options.journal
    const unattributed = (medium: Hex) => balanceOf(book, medium, 'unattributed')
    const before = new Map([...book.balances.keys()].map((name) => [name, unattributed(name)]))
    await this.flush()
    for (const medium of book.balances.keys()) {
      const foundBase = unattributed(medium) - (before.get(medium) ?? 0n)
      if (foundBase > 0n) this.#options.onUnattributed?.(foundBase, medium)
    }
    this.#schedule()
  }

  /** Writes for the last time. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#inTurn(() => this.#flush(true))
  }

  /** Resolves when everything until now is entered and durable. Rejects with `STORE_FAILED`. */
  flush(): Promise<Moment> {
    return this.#inTurn(() => this.#flush(false))
  }

  /** As {@link flush}; nothing more is entered until `look` is done. */
  flushAnd<T>(look: (moment: Moment) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => look(await this.#flush(false)))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => {})
    return turn
  }

  #schedule(): void {
    if (this.#stopped) return
    const { flushMs = DEFAULT_FLUSH_MS, onFailure } = this.#options
    const now = this.#now()
    const midnightMs = startOfDay(dayOf(now) + 1) + MIDNIGHT_SLACK_MS
    const write = () => void this.flush().then(() => this.#schedule(), onFailure)
    this.#timer = setTimeout(write, Math.min(flushMs, midnightMs - now))
  }

  async #flush(isClosing: boolean): Promise<Moment> {
    const { journal, vouchers, signed, token, gas } = this.#options
    const { block, channels } = gatherFacts(this.#options)
    const moment = { block, vouchers: new Map(vouchers), signed: new Map(signed) }
    // a node that lags behind tells what was: it is not listened to until it has caught up
    const isBehind = block < Math.max(0, journal.book.sheet?.block ?? 0)
    if (isBehind) return { ...moment, hasCash: false }
    const day = journal.dayAt(this.#sinceMs)
    this.#sinceMs = this.#now()
    this.#settleChannels(day, channels)
    const cash = await this.#readCash(block)
    if (cash) settleCash(journal.book, day, { ...cash, token, gasBase: gas.take(block) })
    await journal.write(day, { block, isClosing })
    return { ...moment, hasCash: cash !== undefined }
  }

  #settleChannels(day: number, channels: Facts['channels']): void {
    const { book } = this.#options.journal
    for (const facts of channels) {
      if (facts.kind === 'outgoing') settleOutgoing(book, day, facts)
      else settleIncoming(book, day, { ...facts, earned: this.#earnedOf(facts) })
    }
    this.#leftover = 'retired'
  }

  #earnedOf({ id, epoch, medium }: IncomingFacts): Earned {
    const { ledger, vouchers, charges } = this.#options
    // the rate of a medium does not change while a relay runs; without one nothing was charged in it
    const baseUnitsPerUnit = ledger.rateOf(medium) ?? 0n
    const credit = ledger.creditOf(id)
    const voucher = vouchers.get(id)
    const promisedBase = voucher?.epoch === epoch ? voucher.amount : 0n
    const spentBase = BigInt(credit?.spentUnits ?? 0) * baseUnitsPerUnit
    const unspentBase = credit && promisedBase > spentBase ? promisedBase - spentBase : 0n
    const leftover = this.#leftover
    return { ...charges.take(id, epoch, baseUnitsPerUnit), unspentBase, leftover }
  }

  /** `undefined` when the chain does not answer, or not of this block: the next look makes up for it. */
  async #readCash(block: number): Promise<Cash | undefined> {
    const timer = new AbortController()
    const late = sleep(CASH_TIMEOUT_MS, undefined, { signal: timer.signal, ref: false })
    return await Promise.race([this.#options.cashAt(block), late])
      .catch(() => undefined)
      .finally(() => timer.abort())
  }
}
