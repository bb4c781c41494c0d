import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { errorCode } from '@mainframe/protocol'
import { post } from '../../../node/src/accounts/book.ts'
import { COIN } from '../../../node/src/accounts/chart.ts'
import { dayOf, formatDay, parseDay } from '../../../node/src/accounts/days.ts'
import { readEarnings } from '../../../node/src/accounts/earnings.ts'
import { earningsCsv, earningsText } from '../../../node/src/accounts/text.ts'
import { CHANNEL, openRelay, PAYER, TOKEN } from './one-payer.ts'

const UNIT = 10n ** 9n
const NOBODY = `0x${'99'.repeat(20)}` as const
const FIRST = Date.UTC(2026, 6, 31, 12)
const DAY_MS = 86_400_000

let folder = ''
before(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'earnings-')), 'relay')
  await mkdir(folder)
  await write()
})
after(async () => {
  await rm(join(folder, '..'), { recursive: true })
})

/** Three days with a change of month: 2, 3 and 4 packets; on the second, a channel of ours is paid from. */
async function write(): Promise<void> {
  let now = FIRST
  const relay = await openRelay(folder, { now: () => now })
  await relay.accounts.flush()
  for (const [i, packets] of [2, 3, 4].entries()) {
    await relay.promise(packets)
    for (let packet = 0; packet < packets; packet++) relay.serve()
    if (i === 1) {
      const channel = { id: `0x${'dd'.repeat(32)}`, peer: NOBODY, epoch: 1 } as const
      const day = dayOf(now)
      const move = { day, medium: TOKEN, channel }
      post(relay.book, { ...move, debit: 'unsigned', credit: 'vault', amountBase: 900n * UNIT })
      post(relay.book, { ...move, debit: 'signed', credit: 'unsigned', amountBase: 150n * UNIT })
      post(relay.book, { ...move, debit: 'unsigned', credit: 'signed', amountBase: 20n * UNIT })
      post(relay.book, { ...move, debit: 'paid', credit: 'signed', amountBase: 60n * UNIT })
      const gas = { day, medium: COIN, debit: 'gas', credit: 'wallet', channel: undefined } as const
      post(relay.book, { ...gas, amountBase: 21_000n * UNIT })
    }
    await relay.accounts.flush()
    now += DAY_MS
    await relay.accounts.flush() // as a day ends
  }
  await relay.promise(5) // prepaid, and not spent by now
  await relay.accounts.flush()
  await relay.abandon()
}

const read = (from?: string, to?: string) => readEarnings(join(folder, 'accounts'), { from, to })

describe('The earnings of a relay', () => {
  it('are asked for by days that there are, the first before the last', async () => {
    for (const [from, to] of [
      ['2026-8-1', '2026-08-02'],
      ['2026-02-30', '2026-08-02'],
      ['yesterday', '2026-08-02'],
      ['2026-08-03', '2026-08-02'],
    ]) {
      await assert.rejects(read(from, to), (error) => errorCode(error) === 'VALIDATION_FAILED')
    }
    const none = readEarnings(join(folder, 'nothing'), {})
    await assert.rejects(none, (error) => errorCode(error) === 'CONFIG_INVALID')
    assert.equal(formatDay(parseDay('2024-02-29')), '2024-02-29')
  })

  it('are by service, day and payer, to the last base unit', async () => {
    const { media, gas, unseen } = await read('2026-07-31', '2026-08-02')
    const [earnings, ...others] = media
    assert.ok(earnings)
    assert.equal(others.length, 0)
    const { total, days, peers, advances } = earnings
    const units = (each: number) => `${BigInt(each) * UNIT}`
    assert.deepEqual(total, {
      route: units(90),
      hold: units(180),
      onward: units(585),
      surplus: units(45),
      retired: '0',
      unattributed: '0',
      earned: units(900),
      signedAway: units(130),
      lost: '0',
      net: units(770),
    })
    assert.equal(advances, units(500))
    assert.deepEqual(
      days.map(({ day, earned, net }) => [day, earned, net]),
      [
        ['2026-07-31', units(200), units(200)],
        ['2026-08-01', units(300), units(170)],
        ['2026-08-02', units(400), units(400)],
      ],
    )
    assert.deepEqual(
      peers.map(({ account, earned, signedAway, net }) => [account, earned, signedAway, net]),
      [
        [PAYER, units(900), '0', units(900)],
        [NOBODY, '0', units(130), units(-130)],
      ],
    )
    assert.deepEqual([gas, unseen], [units(21_000), '0'])
  })

  it('are of the days asked for alone, whatever file these are in', async () => {
    const earned = async (from: string, to: string) =>
      (await read(from, to)).media.map(({ total }) => BigInt(total.earned) / UNIT)
    assert.deepEqual(await earned('2026-07-31', '2026-07-31'), [200n])
    assert.deepEqual(await earned('2026-08-01', '2026-08-01'), [300n])
    assert.deepEqual(await earned('2026-07-01', '2026-08-01'), [500n])
    assert.deepEqual(await earned('2026-08-05', '2026-08-06'), [0n])
    const { from, to } = await read()
    assert.equal(to, formatDay(dayOf(Date.now())))
    assert.equal(parseDay(to) - parseDay(from), 30)
  })

  it('are CSV with a line for each day and channel, that adds up to the same', async () => {
    const report = await read('2026-07-31', '2026-08-02')
    const [head = '', ...lines] = earningsCsv(report).trimEnd().split('\n')
    const names = head.split(',')
    assert.deepEqual(names.slice(0, 6), ['day', 'token', 'account', 'channel', 'route', 'hold'])
    const rows = lines.map((line) => line.split(','))
    assert.equal(rows.length, 4)
    assert.deepEqual(rows[0]?.slice(0, 4), ['2026-07-31', TOKEN, PAYER, CHANNEL])
    for (const name of [
      'route',
      'hold',
      'onward',
      'surplus',
      'earned',
      'signedAway',
      'net',
    ] as const) {
      const at = names.indexOf(name)
      const sum = rows.reduce((total, row) => total + BigInt(row[at] ?? ''), 0n)
      assert.equal(`${sum}`, report.media[0]?.total[name], name)
    }
  })

  it('are tables of MFT for people', async () => {
    const text = earningsText(await read('2026-07-31', '2026-08-02'))
    assert.match(text, /^Earned from 2026-07-31 to 2026-08-02 \(UTC\), in MFT\n/)
    assert.match(text, /\nearned +0\.000000900\n/)
    assert.match(text, /\nprepaid +0\.000000500 +and not spent yet\n/)
    assert.match(text, /\n2026-08-01 +0\.000000300 +0\.000000130 +0\.000000000 +0\.000000170\n/)
    assert.ok(text.includes(`\n${NOBODY}  0.000000000  0.000000130`))
    assert.match(text, /\ngas +0\.000021000 +of coin\n/)
  })
})
