/** Earnings and audits as text for people, and earnings as CSV. */
import { formatMft } from '@mainframe/protocol'
import type { AuditReport } from './audit.ts'
import { COIN, SERVICES } from './chart.ts'
import type { Difference } from './compare.ts'
import type { EarningsReport, Figures, MediumEarnings } from './earnings.ts'

/** Decimals that every amount is shown with: those of one unit of postage. */
const LEAST_DECIMALS = 9
const FIGURES = [...SERVICES, 'earned', 'signedAway', 'lost', 'net'] as const

/** Amounts in MFT, exact; services are told apart in the sum of all days only. */
export function earningsText(report: EarningsReport): string {
  const { from, to, media, gas, unseen } = report
  const title = `Earned from ${from} to ${to} (UTC), in MFT`
  const coin = table([
    ['gas', amount(gas), 'of coin'],
    ['unseen', amount(unseen), 'of coin'],
  ])
  const parts = media.flatMap((medium) => [
    ...(media.length > 1 ? [`token ${medium.medium}`] : []),
    ...mediumTables(medium),
  ])
  return `${[title, ...(parts.length > 0 ? parts : ['nothing yet']), coin].join('\n\n')}\n`
}

function mediumTables({ total, advances, peers, days }: MediumEarnings): string[] {
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
  const { block, entries, vouchers, channels, balances, differences, notes, balanced } = report
  const looked = `${entries} entries, ${vouchers} vouchers and ${channels} channels up to block ${block}`
  const rows = balances.map(({ medium, account, base }) => [
    account,
    amount(base),
    ...(medium === COIN ? ['of coin'] : []),
  ])
  const verdict = balanced ? 'balanced' : ['not balanced', ...differences.map(sentence)].join('\n')
  return `${[looked, table(rows), ...notes, verdict].filter((part) => part !== '').join('\n')}\n`
}

function sentence(difference: Difference): string {
  const { medium, account, channelId, peer, by, ledgerBase, foundBase, differenceBase } = difference
  const place = channelId ? `${account} of channel ${channelId} with ${peer}` : account
  const source = by === 'sheet' ? 'by its own last sheet' : 'by logs and chain'
  const isMissing = differenceBase.startsWith('-')
  const gap = amount(differenceBase.replace('-', ''))
  const unit = medium === COIN ? 'coin' : 'MFT'
  return (
    `${place}: ${amount(ledgerBase)} ${unit} by the entries of the ledger, ` +
    `${amount(foundBase)} ${unit} ${source}: ${gap} ${unit} ${isMissing ? 'missing' : 'not entered'}`
  )
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
