/** Earnings and audits as text for people, and earnings as CSV. */
import { formatMft, type Hex } from '@mainframe/protocol'
import type { AuditReport } from './audit.ts'
import { COIN, SERVICES } from './chart.ts'
import type { Difference } from './compare.ts'
import type { EarningsReport, Figures, MediumEarnings } from './earnings.ts'

/** Decimals that every amount is shown with: those of one unit of postage. */
const LEAST_DECIMALS = 9
const FIGURES = [...SERVICES, 'earned', 'signedAway', 'lost', 'net'] as const

/** In MFT and in coin, else in base units, exact; services are told apart in the sum of all days only. */
export function earningsText(report: EarningsReport): string {
  const { from, to, mft, media, gas, unseen } = report
  const isMftOnly = media.every(({ medium }) => medium === mft)
  const title = `Earned from ${from} to ${to} (UTC)${isMftOnly ? ', in MFT' : ''}`
  const coin = table([
    ['gas', amount(gas), 'of coin'],
    ['unseen', amount(unseen), 'of coin'],
  ])
  const parts = media.flatMap((medium) => [
    ...(isMftOnly ? [] : [`in ${unitOf(medium.medium, mft)}`]),
    ...mediumTables(medium, amountsIn(medium.medium, mft)),
  ])
  return `${[title, ...(parts.length > 0 ? parts : ['nothing yet']), coin].join('\n\n')}\n`
}

function mediumTables(
  { total, advances, peers, days }: MediumEarnings,
  amount: (base: string) => string,
): string[] {
  const totals = [
    ...SERVICES.map((service) => [service, amount(total[service])]),
    ['earned', amount(total.earned)],
    ['signed away', amount(total.signedAway)],
    ['lost', amount(total.lost)],
    ['net', amount(total.net)],
    ['prepaid', amount(advances), 'and not spent yet'],
  ]
  const sums = (first: string, rows: readonly (Figures & { name: string })[]) =>
    table([
      [first, 'earned', 'signed away', 'lost', 'net'],
      ...rows.map((row) => [
        row.name,
        ...[row.earned, row.signedAway, row.lost, row.net].map(amount),
      ]),
    ])
  const byDay = days.map((row) => ({ ...row, name: row.day }))
  const byAccount = peers.map((row) => ({ ...row, name: row.account }))
  return [table(totals), sums('day', byDay), sums('account', byAccount)]
}

/** A line for each day and channel, in base units. */
export function earningsCsv({ media }: EarningsReport): string {
  const head = ['day', 'token', 'account', 'channel', ...FIGURES]
  const lines = media.flatMap(({ medium, rows }) =>
    rows.map((row) => [
      ...[row.day, medium, row.account, row.channelId],
      ...FIGURES.map((figure) => row[figure]),
    ]),
  )
  return `${[head, ...lines].map((cells) => cells.join(',')).join('\n')}\n`
}

/** Ends in the one word, or in a line for each difference. */
export function auditText(report: AuditReport): string {
  const { mft, block, entries, vouchers, channels, balances, notes, balanced } = report
  const differences = report.differences.map((each) => sentence(each, mft))
  const looked = `${entries} entries, ${vouchers} vouchers and ${channels} channels up to block ${block}`
  const rows = balances.map(({ medium, account, base }) => [
    account,
    amountsIn(medium, mft)(base),
    ...(medium === mft ? [] : [`of ${unitOf(medium, mft)}`]),
  ])
  const verdict = balanced ? 'balanced' : ['not balanced', ...differences].join('\n')
  return `${[looked, table(rows), ...notes, verdict].filter((part) => part !== '').join('\n')}\n`
}

function sentence(difference: Difference, mft: Hex): string {
  const { medium, account, channelId, peer, by, ledgerBase, foundBase, differenceBase } = difference
  const place = channelId ? `${account} of channel ${channelId} with ${peer}` : account
  const source = by === 'sheet' ? 'by its own last sheet' : 'by logs and chain'
  const isMissing = differenceBase.startsWith('-')
  const amount = amountsIn(medium, mft)
  const gap = amount(differenceBase.replace('-', ''))
  const unit = unitOf(medium, mft)
  return (
    `${place}: ${amount(ledgerBase)} ${unit} by the entries of the ledger, ` +
    `${amount(foundBase)} ${unit} ${source}: ${gap} ${unit} ${isMissing ? 'missing' : 'not entered'}`
  )
}

function unitOf(medium: Hex, mft: Hex | null): string {
  if (medium === mft) return 'MFT'
  return medium === COIN ? 'coin' : `base units of ${medium}`
}

/** MFT and coin have 18 decimals; those of another token only whoever runs the relay knows. */
function amountsIn(medium: Hex, mft: Hex | null): (base: string) => string {
  return medium === mft || medium === COIN ? amount : (base) => base
}

function amount(base: string): string {
  const text = formatMft(BigInt(base))
  const [whole = '', fraction = ''] = text.split('.')
  return `${whole}.${fraction.padEnd(LEAST_DECIMALS, '0')}`
}

/** The first column to the left, amounts to the right, words after them to the left again. */
function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length)
    })
  }
  const isText = (i: number, cell: string) => i === 0 || /^(of|and) /.test(cell)
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          isText(i, cell) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
