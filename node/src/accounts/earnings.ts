/** What a relay earned in some days: by service, by the account at the other end, and by day. */
import { type Hex, MainframeError } from '@mainframe/protocol'
import { balanceOf, createBook } from './book.ts'
import { COIN, SERVICES, type Service } from './chart.ts'
import { dayOf, formatDay, parseDay } from './days.ts'
import { readDays, readNewest } from './journal.ts'
import type { Entry } from './records.ts'

const services: ReadonlySet<string> = new Set(SERVICES)

/** Sums in base units, as decimal strings. */
export interface Figures extends Record<Service, string> {
  /** All services together. */
  earned: string
  /** Signed away to other relays for what was passed on. */
  signedAway: string
  /** Earned, and never claimed before the channel closed. */
  lost: string
  /** Earned, less signed away, less lost. */
  net: string
}

export interface MediumEarnings {
  /** The token; zero for the chain's coin, where channels were paid in it. */
  medium: Hex
  total: Figures
  /** Prepaid and not spent by now: owed to payers as service, and not earned. */
  advances: string
  /** By the account that pays or is paid, the best payer first. */
  peers: ({ account: Hex } & Figures)[]
  days: ({ day: string } & Figures)[]
  /** By day and channel. */
  rows: ({ day: string; account: Hex; channelId: Hex } & Figures)[]
}

export interface EarningsReport {
  /** Days in UTC, both included. */
  from: string
  to: string
  /** The MFT contract, which is the token of the stake; `null` where there was never any. */
  mft: Hex | null
  media: MediumEarnings[]
  /** Base units of coin: for transactions, and gone without a receipt seen. */
  gas: string
  unseen: string
}

/** Days, such as 2026-08-19; by default the last 31. */
export interface EarningsQuery {
  from?: string | undefined
  to?: string | undefined
}

const DEFAULT_DAYS = 31

/**
 * Reads the ledger of a folder, in whose files everything must be by now. Throws `VALIDATION_FAILED`
 * for what is no day, `CONFIG_INVALID` where there is no ledger, `STORE_CORRUPT` for a damaged file.
 */
export async function readEarnings(folder: string, query: EarningsQuery): Promise<EarningsReport> {
  const to = query.to === undefined ? dayOf(Date.now()) : parseDay(query.to)
  const from = query.from === undefined ? to - DEFAULT_DAYS + 1 : parseDay(query.from)
  if (from > to) {
    const message = `The first day, ${formatDay(from)}, is after the last, ${formatDay(to)}`
    throw new MainframeError('VALIDATION_FAILED', message)
  }
  const entries = await readDays(folder, { from, to })
  const newest = await readNewest(folder)
  if (newest.isMissing) {
    const message = `There is no ledger in ${folder}: no relay has run with it yet`
    throw new MainframeError('CONFIG_INVALID', message)
  }
  if (newest.damage) throw newest.damage
  const book = createBook(newest.entries.values())
  const paid = new Set([...book.channels.values()].map(({ medium }) => medium))
  const media = [...book.balances.keys()].filter((medium) => medium !== COIN || paid.has(medium))
  return {
    from: formatDay(from),
    to: formatDay(to),
    mft: media.find((medium) => book.balances.get(medium)?.has('stake')) ?? null,
    media: media.sort().map((medium) => ({
      ...earningsOf(entries.filter((entry) => entry.medium === medium)),
      medium,
      advances: `${balanceOf(book, medium, 'advances')}`,
    })),
    gas: `${sumOf(entries, 'gas')}`,
    unseen: `${sumOf(entries, 'unseen')}`,
  }
}

function earningsOf(entries: readonly Entry[]): Omit<MediumEarnings, 'medium' | 'advances'> {
  const counted = entries.filter((entry) => entry.channel && effects(entry).length > 0)
  const peers = groups(counted, ({ channel }) => channel?.peer ?? COIN)
  const days = groups(counted, ({ day }) => formatDay(day))
  const rows = groups(counted, ({ day, channel }) => `${formatDay(day)} ${channel?.id}`)
  const byEarned = (a: Figures, b: Figures) => compare(BigInt(b.earned), BigInt(a.earned))
  return {
    total: figuresOf(counted),
    peers: peers.map(([account, of]) => ({ account, ...figuresOf(of) })).sort(byEarned),
    days: days.map(([day, of]) => ({ day, ...figuresOf(of) })),
    rows: rows.flatMap(([, of]) => {
      const [{ channel, day } = { channel: undefined, day: 0 }] = of
      const { peer: account = COIN, id: channelId = COIN } = channel ?? {}
      return [{ day: formatDay(day), account, channelId, ...figuresOf(of) }]
    }),
  }
}

/** Entries by key, the keys in order. */
function groups<K extends string>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => K,
): [K, Entry[]][] {
  return [...Map.groupBy(entries, keyOf)].sort(([a], [b]) => compare(a, b))
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

type Figure = Service | 'signedAway' | 'lost'

/** Which figures an entry raises, and which it lowers. */
function effects({ debit, credit, amountBase }: Entry): [Figure, bigint][] {
  const found: [Figure, bigint][] = []
  if (services.has(credit)) found.push([credit as Service, amountBase])
  if (services.has(debit)) found.push([debit as Service, -amountBase])
  if (debit === 'signed' && credit === 'unsigned') found.push(['signedAway', amountBase])
  if (debit === 'unsigned' && credit === 'signed') found.push(['signedAway', -amountBase])
  if (debit === 'lost') found.push(['lost', amountBase])
  return found
}

function figuresOf(entries: readonly Entry[]): Figures {
  const sums = new Map<Figure, bigint>()
  for (const [figure, base] of entries.flatMap(effects)) {
    sums.set(figure, (sums.get(figure) ?? 0n) + base)
  }
  const of = (figure: Figure) => sums.get(figure) ?? 0n
  const earned = SERVICES.reduce((sum, service) => sum + of(service), 0n)
  const byService = SERVICES.map((service) => [service, `${of(service)}`])
  return {
    ...(Object.fromEntries(byService) as Record<Service, string>),
    earned: `${earned}`,
    signedAway: `${of('signedAway')}`,
    lost: `${of('lost')}`,
    net: `${earned - of('signedAway') - of('lost')}`,
  }
}

/** Net debits of an account of the coin. */
function sumOf(entries: readonly Entry[], account: 'gas' | 'unseen'): bigint {
  return entries.reduce((sum, { medium, debit, credit, amountBase }) => {
    if (medium !== COIN) return sum
    return sum + (debit === account ? amountBase : 0n) - (credit === account ? amountBase : 0n)
  }, 0n)
}
