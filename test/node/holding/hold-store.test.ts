import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { equalBytes, headerOf, PACKET_BYTES, type PacketHeader } from '@mainframe/protocol'
import type { Wish } from '../../../node/src/holding/hold-index.ts'
import { HoldStore } from '../../../node/src/holding/hold-store.ts'
import { addressOf, HOUR_EXPIRY, inboxPacket, NOW_MS } from '../support/rule-world.ts'

const EVERYTHING: Wish = { bits: 0, prefix: new Uint8Array(32) }
const GENEROUS = 1e9

function header(packet: Uint8Array): PacketHeader {
  const decoded = headerOf(packet)
  assert.ok(decoded !== 'malformed')
  return decoded
}

/** Everything that fits a wish, from a cursor on. */
async function all(holds: HoldStore, wish = EVERYTHING, from = 0) {
  const found: { packet: Uint8Array; cursor: number }[] = []
  for (let cursor = from; ; ) {
    const next = await holds.next(wish, cursor)
    cursor = next.cursor
    if (next.packet) found.push({ packet: next.packet, cursor })
    else if (!next.more) return found
  }
}

describe('The hold store', () => {
  let root = ''
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mainframe-holds-'))
  })
  after(() => rm(root, { recursive: true }))

  const open = (name: string, quotaBytes = GENEROUS, nowMs = NOW_MS) =>
    HoldStore.open({ folder: join(root, name), quotaBytes, now: () => nowMs })

  it('has no room past its quota, and room again when packets expired', async () => {
    let nowMs = NOW_MS
    const folder = join(root, 'quota')
    const holds = await HoldStore.open({ folder, quotaBytes: 5_000, now: () => nowMs })
    const packet = inboxPacket('')
    for (let i = 0; i < 2; i++) {
      assert.ok(holds.hasRoom)
      holds.append(packet, header(packet))
    }
    assert.ok(!holds.hasRoom, 'what is not written yet counts as well')
    await holds.flush()
    assert.ok(!holds.hasRoom)
    nowMs += 2 * 3_600_000
    await holds.expire()
    assert.ok(holds.hasRoom)
    await holds.close()
  })

  it('gives nothing back after its expiry, and removes the file when its hour is over', async () => {
    let nowMs = NOW_MS
    const folder = join(root, 'expiry')
    const holds = await HoldStore.open({ folder, quotaBytes: GENEROUS, now: () => nowMs })
    const packets = [inboxPacket('', HOUR_EXPIRY), inboxPacket('', HOUR_EXPIRY + 180)]
    for (const packet of packets) holds.append(packet, header(packet))
    await holds.flush()
    assert.equal((await all(holds)).length, 2)
    nowMs = HOUR_EXPIRY * 60_000
    const [left, ...others] = await all(holds)
    assert.ok(left && packets[1] && equalBytes(left.packet, packets[1]))
    assert.deepEqual(others, [])
    await holds.expire()
    const logs = (await readdir(folder)).filter((name) => name.endsWith('.log'))
    assert.deepEqual(logs, [`${(HOUR_EXPIRY + 180) / 60}.log`])
    await holds.close()
  })

  it('finds what matches the disclosed bits, in both directions', async () => {
    const holds = await open('match')
    const disclosed = ['', '1', '10', '1011', '11', '0']
    for (const bits of disclosed) {
      const packet = inboxPacket(bits)
      holds.append(packet, header(packet))
    }
    await holds.flush()
    const matching = async (bits: string) => {
      const found = await all(holds, { bits: bits.length, prefix: addressOf(bits) })
      return found.map(({ cursor }) => disclosed[cursor - 1])
    }
    assert.deepEqual(await matching(''), disclosed)
    assert.deepEqual(await matching('10'), ['', '1', '10', '1011'])
    assert.deepEqual(await matching('1010'), ['', '1', '10'])
    assert.deepEqual(await matching('01'), ['', '0'])
    await holds.close()
  })

  it('gives every packet back byte by byte after it was opened again, in the same order', async () => {
    const packets = [0, 60, 0, 600].map((later) => inboxPacket('', HOUR_EXPIRY + later))
    const holds = await open('again')
    for (const packet of packets) holds.append(packet, header(packet))
    await holds.close()
    const again = await open('again')
    assert.equal(again.count, 4)
    const found = await all(again)
    assert.deepEqual(
      found.map(({ cursor }) => cursor),
      [1, 2, 3, 4],
    )
    found.forEach(({ packet }, i) => {
      assert.ok(equalBytes(packet, packets[i] ?? new Uint8Array(0)))
    })
    assert.equal((await all(again, EVERYTHING, 2)).length, 2)
    await again.close()
  })

  it('never gives out an arrival number twice, even when everything had expired', async () => {
    const holds = await open('numbers')
    const packet = inboxPacket('')
    for (let i = 0; i < 5; i++) holds.append(packet, header(packet))
    await holds.close()
    const later = await open('numbers', GENEROUS, NOW_MS + 24 * 3_600_000)
    assert.equal(later.count, 0)
    const fresh = inboxPacket('', HOUR_EXPIRY + 24 * 60)
    later.append(fresh, header(fresh))
    await later.flush()
    assert.equal(later.lastArrival, 6)
    await later.close()
  })

  it('lets many flushes share a write, and tells listeners only of what is durable', async () => {
    const holds = await open('share')
    const heard: number[] = []
    holds.onHeld(() => heard.push(holds.lastArrival))
    const packet = inboxPacket('')
    const flushes = []
    for (let i = 0; i < 50; i++) {
      holds.append(packet, header(packet))
      flushes.push(holds.flush())
    }
    assert.deepEqual(heard, [])
    await Promise.all(flushes)
    assert.equal(holds.lastArrival, 50)
    assert.equal(heard.length, 1)
    await holds.close()
  })

  it('loses nothing that was flushed when the process is killed, and goes on numbering', async () => {
    const folder = join(root, 'killed')
    const script = join(import.meta.dirname, 'holding-child.ts')
    const child = spawn(process.execPath, [script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let flushed = 0
    child.stdout.on('data', (chunk: Buffer) => {
      flushed = Number(chunk.toString().trim().split('\n').at(-1))
      if (flushed > 400) child.kill('SIGKILL')
    })
    await once(child, 'exit')
    const [segment] = (await readdir(folder)).filter((name) => name.endsWith('.log'))
    assert.ok(segment)
    const holds = await HoldStore.open({ folder, quotaBytes: GENEROUS })
    assert.ok(flushed > 400 && holds.lastArrival >= flushed)
    const found = await all(holds)
    assert.equal(found.length, holds.count)
    for (const { packet } of found) assert.equal(packet.length, PACKET_BYTES)
    const before = holds.highestCursor
    const [first] = found
    assert.ok(first)
    holds.append(first.packet, header(first.packet))
    await holds.close()
    // what a crash leaves of a write is cut at the next start
    await truncate(join(folder, segment), 20 + 2068 * found.length + 700)
    const again = await HoldStore.open({ folder, quotaBytes: GENEROUS })
    assert.equal(again.count, found.length)
    assert.ok(again.highestCursor > before)
    await again.close()
  })
})
