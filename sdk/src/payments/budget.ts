/** What a client may sign away in a day. The records of its channels hold what it has. */
import { type Deployment, type Hex, MainframeError } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import { readChannels, tokenOf } from './channel-records.ts'

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
  deployment: Pick<Deployment, 'token'>
  /** What the client pays with. */
  token: Hex
  limitBase?: bigint | undefined
  /** With less than this nothing can be paid. */
  leastBase: bigint
}

const DAY_MS = 86_400_000

interface Count {
  /** Days since the Unix epoch. */
  day: number
  signedBase: bigint
}

export class Budget {
  readonly #options: BudgetOptions
  #known: Count | undefined
  #reading: Promise<Count> | undefined

  constructor(options: BudgetOptions) {
    this.#options = options
  }

  /** Throws `STORE_CORRUPT`. */
  async today(): Promise<DaySpending> {
    return this.#spending(await this.#current())
  }

  /**
   * Counts what is about to be signed, and says on which day: the channel's record is to be written with
   * both before a voucher leaves. Throws `PAYMENT_BUDGET`, and counts nothing then.
   */
  async count(amountBase: bigint): Promise<number> {
    const count = await this.#current()
    if (amountBase <= 0n) return count.day
    // nothing is awaited from here on: two at a time would each find room
    const today = this.#spending(count)
    const { remainingBase } = today
    if (remainingBase !== undefined && amountBase > remainingBase) throw spentOf(today)
    count.signedBase += amountBase
    return count.day
  }

  /** Throws `PAYMENT_BUDGET` when nothing can be paid any more today. */
  async assertLeft(): Promise<void> {
    const today = await this.today()
    const { remainingBase } = today
    if (remainingBase !== undefined && remainingBase < this.#options.leastBase) throw spentOf(today)
  }

  #spending({ day, signedBase }: Count): DaySpending {
    const { token, limitBase } = this.#options
    const left = limitBase === undefined ? undefined : limitBase - signedBase
    const remainingBase = left !== undefined && left < 0n ? 0n : left
    return { token, signedBase, limitBase, remainingBase, resetsAtMs: (day + 1) * DAY_MS }
  }

  async #current(): Promise<Count> {
    const known = this.#known ?? (await this.#read())
    this.#known ??= known // whoever was first counts already
    const day = this.#dayNow()
    // a clock that is set back begins no new day
    if (day > this.#known.day) this.#known = { day, signedBase: 0n }
    return this.#known
  }

  /** What was signed on the newest day that a record knows, or has been signed today: nothing yet. */
  #read(): Promise<Count> {
    this.#reading ??= this.#sum().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #sum(): Promise<Count> {
    const { store, deployment, token } = this.#options
    const all = await readChannels(store)
    const records = all.filter((record) => tokenOf(record, deployment) === token)
    const days = records.map(({ day }) => day ?? 0)
    const day = Math.max(this.#dayNow(), ...days)
    const ofDay = records.filter((record) => record.day === day)
    return { day, signedBase: ofDay.reduce((sum, { dayBase = 0n }) => sum + dayBase, 0n) }
  }

  #dayNow(): number {
    return Math.floor(this.#options.clock.now() / DAY_MS)
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
