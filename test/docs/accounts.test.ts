import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import { type Book, balancesOf, post } from '../../node/src/accounts/book.ts'
import { type AccountName, COIN, PLACES, SOURCES } from '../../node/src/accounts/chart.ts'
import { parseDay } from '../../node/src/accounts/days.ts'
import { Journal } from '../../node/src/accounts/journal.ts'
import { auditText } from '../../node/src/accounts/text.ts'
import { blocksOf, ROOT, readDocument } from './support/documents.ts'

const TOKEN: Hex = `0x${'aa'.repeat(20)}`
const UNIT = 10n ** 9n
const CLIENT: Hex = '0x70997970c51812dc3a010c7d01b50e0d17dc79c8'
const RELAY: Hex = '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'

/** Units of one day, of the account that they come from or go to. */
const DAYS: readonly [string, Hex, AccountName, AccountName, number][] = [
  ['2026-08-01', CLIENT, 'vouchers', 'advances', 2_900_000],
  ['2026-08-01', CLIENT, 'advances', 'route', 310_000],
  ['2026-08-01', CLIENT, 'advances', 'hold', 124_000],
  ['2026-08-01', CLIENT, 'advances', 'onward', 1_720_000],
  ['2026-08-01', CLIENT, 'advances', 'surplus', 86_400],
  ['2026-08-01', RELAY, 'unsigned', 'vault', 100_000_000],
  ['2026-08-01', RELAY, 'signed', 'unsigned', 1_700_000],
  ['2026-08-02', CLIENT, 'vouchers', 'advances', 800_000],
  ['2026-08-02', CLIENT, 'advances', 'route', 215_000],
  ['2026-08-02', CLIENT, 'advances', 'onward', 604_000],
  ['2026-08-02', CLIENT, 'advances', 'surplus', 31_250],
  ['2026-08-02', CLIENT, 'advances', 'unattributed', 207_000],
  ['2026-08-02', RELAY, 'signed', 'unsigned', 640_000],
  ['2026-08-02', RELAY, 'vouchers', 'advances', 450_000],
  ['2026-08-02', RELAY, 'advances', 'route', 52_000],
  ['2026-08-02', RELAY, 'advances', 'hold', 390_000],
]

/** Of the first day as well: what came from outside, and where it went. */
const CASH: readonly [Hex, AccountName, AccountName, number][] = [
  [TOKEN, 'wallet', 'brought', 10_000_000_000],
  [TOKEN, 'stake', 'brought', 1_000_000_000_000],
  [TOKEN, 'vault', 'wallet', 100_000_000],
  [COIN, 'wallet', 'brought', 1_000_000_000],
  [COIN, 'gas', 'wallet', 412_000],
]

/** The ledger that the page shows the earnings of, and an audit. */
async function writeLedger(dataFolder: string): Promise<Book> {
  const journal = await Journal.open(join(dataFolder, 'accounts'))
  for (const [text, peer, debit, credit, units] of DAYS) {
    const side = debit === 'unsigned' || debit === 'signed' ? '22' : '11'
    const channel = { id: `0x${peer.slice(2)}${side.repeat(12)}` as const, peer, epoch: 1 }
    const amountBase = BigInt(units) * UNIT
    post(journal.book, { day: parseDay(text), medium: TOKEN, debit, credit, channel, amountBase })
  }
  for (const [medium, debit, credit, units] of CASH) {
    const amountBase = BigInt(units) * UNIT
    const day = parseDay('2026-08-01')
    post(journal.book, { day, medium, debit, credit, channel: undefined, amountBase })
  }
  await journal.write(parseDay('2026-08-02'), { block: 1, isClosing: true })
  await journal.close()
  return journal.book
}

describe('docs/relay.md', () => {
  it('shows earnings and an audit as the commands print them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mainframe-docs-'))
    try {
      const book = await writeLedger(folder)
      const [shown, audited] = blocksOf('docs/relay.md', 'text')
      const command = /npm run relay -- (earnings --data \S+ --from \S+ --to \S+)/
      const [, line = ''] = readDocument('docs/relay.md').match(command) ?? []
      const args = line.replace('data/relay', folder).split(' ')
      const cli = join(ROOT, 'node/src/cli.ts')
      const { stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' })
      assert.equal(stdout, shown, stderr)
      const balances = balancesOf(book).map((row) => ({ ...row, base: `${row.base}` }))
      const looked = { block: 6_543_210, entries: book.entries.size, vouchers: 2, channels: 3 }
      const report = { ...looked, mft: TOKEN, balanced: true, balances, differences: [], notes: [] }
      assert.equal(auditText(report), audited)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('lists every account of the ledger, in the order of the chart', () => {
    const rows = [
      ...readDocument('docs/relay.md').matchAll(/^\| `([a-z]+)` \| (place|source) \|/gm),
    ]
    const chart = [
      ...PLACES.map((name) => [name, 'place']),
      ...SOURCES.map((name) => [name, 'source']),
    ]
    assert.deepEqual(
      rows.map(([, name, side]) => [name, side]),
      chart,
    )
  })
})
