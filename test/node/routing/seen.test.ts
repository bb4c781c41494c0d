import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { minutesNow } from '@mainframe/protocol'
import { openMemory, saveMemory } from '../../../node/src/routing/memory.ts'
import { SEEN_LIFE_MS, SeenMemory } from '../../../node/src/routing/seen.ts'

const KEY_BYTES = 16
const MINUTE_MS = 60_000
const START_MS = Date.UTC(2026, 0, 15, 12)

function key(n: number): Uint8Array {
  const bytes = new Uint8Array(KEY_BYTES)
  bytes.set([n >> 8, n & 0xff, 0xff, 0x80])
  return bytes
}

describe('The memory of what was seen', () => {
  it('keeps a key for 35 minutes at least, and for 40 at most', () => {
    const memory = new SeenMemory({ capacity: 10, keyBytes: KEY_BYTES })
    memory.note(key(1), 7, START_MS + 1)
    assert.equal(memory.levelOf(key(1), START_MS + 1 + SEEN_LIFE_MS), 7)
    assert.equal(memory.levelOf(key(1), START_MS + 1 + SEEN_LIFE_MS + 5 * MINUTE_MS), undefined)
    assert.equal(memory.size, 0)
  })

  it('is full at its capacity and has room again after the time', () => {
    const memory = new SeenMemory({ capacity: 3, keyBytes: KEY_BYTES })
    for (let n = 0; n < 3; n++) memory.note(key(n), 0, START_MS)
    assert.ok(memory.isFull(START_MS + SEEN_LIFE_MS))
    assert.ok(!memory.isFull(START_MS + SEEN_LIFE_MS + 6 * MINUTE_MS))
  })

  it('counts a key once, with its newest level and time', () => {
    const memory = new SeenMemory({ capacity: 10, keyBytes: KEY_BYTES })
    memory.note(key(1), 9, START_MS)
    memory.note(key(1), 4, START_MS + 30 * MINUTE_MS)
    assert.equal(memory.size, 1)
    assert.equal(memory.levelOf(key(1), START_MS + 60 * MINUTE_MS), 4)
  })

  it('forgets nothing early when the clock is set back', () => {
    const memory = new SeenMemory({ capacity: 10, keyBytes: KEY_BYTES })
    memory.note(key(1), 0, START_MS + 60 * MINUTE_MS)
    memory.note(key(2), 0, START_MS)
    assert.equal(memory.levelOf(key(2), START_MS + SEEN_LIFE_MS), 0)
  })
})

describe('The memory across a restart', () => {
  const sealKey = new Uint8Array(32).fill(5)
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-memory-'))
  })
  after(() => rm(folder, { recursive: true }))

  const open = (path: string, nowMs = START_MS) =>
    openMemory({ folder: join(folder, path), sealKey, capacity: 5_000, nowMs })

  it('starts with nothing forgotten when the seal key was never used', async () => {
    assert.equal((await open('new')).forgottenUntilMinutes, 0)
  })

  it('executes no FORWARD for 32 minutes after a crash', async () => {
    await open('crash')
    const memory = await open('crash', START_MS + MINUTE_MS)
    assert.equal(memory.forgottenUntilMinutes, minutesNow(START_MS) + 1 + 32)
  })

  it('remembers everything after a clean stop, and only once', async () => {
    const memory = await open('clean')
    for (let n = 0; n < 3_000; n++) memory.seen.note(key(n), n % 257, START_MS + n * 100)
    memory.acted.note(new Uint8Array(32).fill(0xee), 0, START_MS)
    await saveMemory(join(folder, 'clean'), memory)
    const restored = await open('clean')
    assert.equal(restored.forgottenUntilMinutes, 0)
    assert.equal(restored.seen.size, 3_000)
    assert.equal(restored.seen.levelOf(key(299), START_MS), 299 % 257)
    assert.equal(restored.acted.levelOf(new Uint8Array(32).fill(0xee), START_MS), 0)
    assert.notEqual((await open('clean')).forgottenUntilMinutes, 0, 'a crash after that is a crash')
  })

  it('carries what a crash made it forget over a clean stop that follows', async () => {
    await open('both')
    const crashed = await open('both')
    await saveMemory(join(folder, 'both'), crashed)
    const restarted = await open('both', START_MS + MINUTE_MS)
    assert.equal(restarted.forgottenUntilMinutes, minutesNow(START_MS) + 32)
  })

  it('takes a damaged file for a crash', async () => {
    await open('damaged')
    await writeFile(join(folder, 'damaged', 'memory.log'), 'not a log at all, but long enough')
    assert.equal((await open('damaged')).forgottenUntilMinutes, minutesNow(START_MS) + 32)
  })
})
