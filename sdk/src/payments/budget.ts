/** What a client may sign away in a day, counted durably before it is signed. */
import { type Hex, MainframeError } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import { maybe, money, object, whole } from '../readers.ts'
import type { Store } from '../store/store.ts'
import { readJson, writeJson } from '../store/values.ts'

/** What was signed away today (UTC), in base units of what is paid with. */
export interface DaySpending {
  /** ERC-20, or zero for the chain's coin. */
  token: Hex
  /** Promised to relays, whether they have earned it yet or not. */
  signedBase: bigint
  /** The most that may be; `undefined` when nothing was set. */
  limitBase: bigint | undefined
  /** What is left of that. */
  remainingBase: bigint | undefined
  /** When the next day begins, in milliseconds since the Unix epoch. */
  resetsAtMs: number
}

export interface BudgetOptions {
  store: Store
  clock: Clock
  token: Hex
  limitBase?: bigint | undefined
  /** With less than this nothing can be paid. */
  leastBase: bigint
}

const DAY_MS = 86_400_000
const read = object({ day: whole, signedBase: money })
const parse = maybe((value, path) => {
  const { day, signedBase } = read(value, path)
  return { day, signedBase: BigInt(signedBase) }
})

interface Count {
  /** Days since the Unix epoch. */
  day: number
  signedBase: bigint
}

export class Budget {
  readonly #options: BudgetOptions
  readonly #key: string
  #count: Count | undefined
  /** One amount after the other: two at a time would each find room. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: BudgetOptions) {
    this.#options = options
    this.#key = `budget.${options.token.slice(2)}`
  }

  /** Throws `STORE_CORRUPT`. */
  async today(): Promise<DaySpending> {
    const { token, limitBase } = this.#options
    const { day, signedBase } = await this.#read()
    const left = limitBase === undefined ? undefined : limitBase - signedBase
    const remainingBase = left !== undefined && left < 0n ? 0n : left
    return { token, signedBase, limitBase, remainingBase, resetsAtMs: (day + 1) * DAY_MS }
  }

  /**
   * Counts what is about to be signed; durable when it resolves. Throws `PAYMENT_BUDGET`, and counts
   * nothing then.
   */
  async spend(amountBase: bigint): Promise<void> {
    const spent = this.#last.then(() => this.#spend(amountBase))
    this.#last = spent.catch(() => {})
    await spent
  }

  /** Throws `PAYMENT_BUDGET` when nothing can be paid any more today. */
  async assertLeft(): Promise<void> {
    const today = await this.today()
    const { remainingBase } = today
    if (remainingBase !== undefined && remainingBase < this.#options.leastBase) throw spentOf(today)
  }

  async #spend(amountBase: bigint): Promise<void> {
    const today = await this.today()
    const { remainingBase } = today
    if (remainingBase !== undefined && amountBase > remainingBase) throw spentOf(today)
    const { day, signedBase } = await this.#read()
    const count = { day, signedBase: signedBase + amountBase }
    await writeJson(this.#options.store, this.#key, { day, signedBase: `${count.signedBase}` })
    this.#count = count
  }

  async #read(): Promise<Count> {
    const { store, clock } = this.#options
    const day = Math.floor(clock.now() / DAY_MS)
    this.#count ??= (await readJson(store, this.#key, parse)) ?? { day, signedBase: 0n }
    // a clock that is set back begins no new day
    if (day > this.#count.day) this.#count = { day, signedBase: 0n }
    return this.#count
  }
}

function spentOf({ token, limitBase, resetsAtMs }: DaySpending): MainframeError {
  const at = new Date(resetsAtMs).toISOString()
  return new MainframeError(
    'PAYMENT_BUDGET',
    `What may be spent in a day is spent; it goes on at ${at}, or with a larger budgetBasePerDay`,
    { details: { token, limitBase: `${limitBase}`, resumesAtMs: resetsAtMs }, retryable: true },
  )
}
