import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { BASE_PER_UNIT, errorCode } from '@mainframe/protocol'
import { type Book, balanceOf, balancesOf } from '../../../node/src/accounts/book.ts'
import type { AccountName } from '../../../node/src/accounts/chart.ts'
import { PLACES, SERVICES, SOURCES } from '../../../node/src/accounts/chart.ts'
import { formatDay } from '../../../node/src/accounts/days.ts'
import { Journal, readDays } from '../../../node/src/accounts/journal.ts'
import { openRelay, PACKET, TOKEN } from './one-payer.ts'

/** How long a relay that is killed goes on, in milliseconds after its first packets. */
const KILLS = [0, 11, 37, 90]

let root = ''
let folders = 0
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ledger-'))
})
after(async () => {
  await rm(root, { recursive: true })
})

async function newFolder(): Promise<string> {
  const folder = join(root, `${folders++}`)
  await mkdir(folder)
  return folder
}

const of = (book: Book, name: AccountName) => balanceOf(book, TOKEN, name)
const sum = (book: Book, names: readonly AccountName[]) =>
  names.reduce((total, name) => total + of(book, name), 0n)
const units = (packets: number, each: number) => BigInt(packets * each) * BASE_PER_UNIT

/** Every voucher is an earning or an advance, and none of it is there twice. */
function assertWhole({ book, promised }: Awaited<ReturnType<typeof openRelay>>): void {
  assert.equal(sum(book, PLACES), sum(book, SOURCES))
  assert.equal(of(book, 'vouchers'), promised())
  assert.equal(sum(book, SERVICES) + of(book, 'advances'), promised())
}

describe('A ledger on disk', () => {
  it('refuses a file that is damaged in the middle, and says where', async () => {
    const folder = await newFolder()
    const relay = await openRelay(folder)
    for (let i = 0; i < 3; i++) {
      await relay.promise(1)
      await relay.accounts.flush()
    }
    await relay.abandon()
    const [file = ''] = await readdir(join(folder, 'accounts'))
    const path = join(folder, 'accounts', file)
    const bytes = await readFile(path)
    bytes[40] = (bytes[40] ?? 0) ^ 1
    await writeFile(path, bytes)
    await assert.rejects(Journal.open(join(folder, 'accounts')), (error) => {
      assert.equal(errorCode(error), 'STORE_CORRUPT')
      assert.match(String(error), /is damaged at byte 20/)
      return true
    })
  })

  it('is whole again whatever part of the last writing a kill has left', async () => {
    const folder = await newFolder()
    const relay = await openRelay(folder)
    await relay.accounts.flush()
    await relay.promise(10)
    relay.serve()
    await relay.accounts.flush()
    const path = join(folder, 'accounts', (await readdir(join(folder, 'accounts')))[0] ?? '')
    const written = (await readFile(path)).length
    await relay.promise(5)
    for (let i = 0; i < 7; i++) relay.serve()
    await relay.accounts.flush()
    await relay.abandon()
    const whole = (await readFile(path)).length
    const copy = `${path}.whole`
    await copyFile(path, copy)
    const named: bigint[] = []
    for (let length = written; length <= whole; length += 53) {
      await copyFile(copy, path)
      await truncate(path, length)
      const restarted = await openRelay(folder)
      assert.equal(sum(restarted.book, PLACES), sum(restarted.book, SOURCES), 'as it was left')
      await restarted.accounts.flush()
      assertWhole(restarted)
      assert.equal(of(restarted.book, 'advances'), 0n)
      const route = of(restarted.book, 'route')
      assert.ok(route === units(1, PACKET.route) || route === units(8, PACKET.route), `${route}`)
      named.push(route)
      await restarted.abandon()
    }
    assert.ok(new Set(named).size === 2, 'some were cut before the entry, and some behind it')
  })

  it('knows all vouchers after kills at any moment, and names what it can', async () => {
    const folder = await newFolder()
    const script = new URL('./keeping-child.ts', import.meta.url).pathname
    let served = 0
    for (const afterMs of KILLS) {
      const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
      const child = spawn(process.execPath, [script, folder], { stdio })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      child.kill('SIGKILL')
      await once(child, 'close')
      served += Number(output.trimEnd().split('\n').at(-1)) + 2 // of the last it may not have told
      const relay = await openRelay(folder)
      const before = of(relay.book, 'unattributed')
      await relay.accounts.flush()
      assertWhole(relay)
      assert.ok(of(relay.book, 'unattributed') >= before)
      for (const service of ['route', 'hold', 'onward', 'surplus'] as const) {
        const base = of(relay.book, service)
        assert.ok(base > 0n && base <= units(served, PACKET[service]), `${service}: ${base}`)
      }
      await relay.abandon()
    }
  })

  it('begins a file each month with what was before, and finds the days of all of them', async () => {
    const folder = await newFolder()
    let now = Date.UTC(2026, 6, 30, 12)
    const relay = await openRelay(folder, { now: () => now })
    await relay.promise(10)
    for (let day = 0; day < 40; day++) {
      relay.serve()
      await relay.promise(1)
      now += 86_400_000
      await relay.accounts.flush()
    }
    await relay.accounts.stop()
    const balances = balancesOf(relay.book)
    await relay.abandon()
    const path = join(folder, 'accounts')
    const files = await readdir(path)
    assert.deepEqual(files.sort(), ['2026-07.log', '2026-08.log', '2026-09.log'])

    const entries = await readDays(path, { from: 20_000, to: 21_000 })
    const route = entries.filter(({ credit }) => credit === 'route')
    assert.equal(route.length, 40)
    assert.ok(route.every(({ amountBase }) => amountBase === units(1, PACKET.route)))
    assert.deepEqual(
      [route[0], route.at(-1)].map((entry) => formatDay(entry?.day ?? 0)),
      ['2026-07-30', '2026-09-07'],
    )
    await rm(join(path, '2026-07.log'))
    await writeFile(join(path, '2026-10.log.compact'), 'what a kill left of the next month')
    const again = await openRelay(folder, { now: () => now })
    assert.deepEqual(balancesOf(again.book), balances)
    now = Date.UTC(2026, 9, 3)
    await again.accounts.flush()
    now += 1_000
    await again.accounts.flush()
    assertWhole(again)
    await again.abandon()
    assert.ok((await readdir(path)).includes('2026-10.log'))
  })

  it('enters nothing under days that are in an earlier file, when the clock is set back', async () => {
    const folder = await newFolder()
    let now = Date.UTC(2026, 8, 2)
    const relay = await openRelay(folder, { now: () => now })
    await relay.accounts.flush()
    now = Date.UTC(2026, 7, 20)
    await relay.accounts.flush()
    await relay.promise(1)
    await relay.accounts.flush()
    await relay.abandon()
    assert.deepEqual(await readdir(join(folder, 'accounts')), ['2026-09.log'])
    const days = await readDays(join(folder, 'accounts'), { from: 1, to: 30_000 })
    assert.ok(days.every(({ day }) => formatDay(day).startsWith('2026-09')))
    assert.ok(days.length > 2)
  })
})
