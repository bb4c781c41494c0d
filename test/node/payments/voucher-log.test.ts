/**
 * Damaged voucher logs. `FUZZ_CASES` sets how many (1,000 unless told otherwise), `FUZZ_SEED` repeats
 * a run.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { errorCode, toHex } from '@mainframe/protocol'
import { openVoucherLog, type StoredVoucher } from '../../../node/src/payments/voucher-log.ts'
import { Seeded } from '../support/seeded.ts'

const CASES = Number(process.env.FUZZ_CASES ?? 1_000)
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 32))
/** Cases on one log before another is written. */
const CASES_PER_LOG = 100
/** Of the file and of a record, before what they hold. */
const FILE_HEADER_BYTES = 20
const RECORD_HEADER_BYTES = 12
const RECORD_BYTES = RECORD_HEADER_BYTES + 156
const CHANNELS = 4

/** A log that was written in batches, and what it holds after each of its records. */
interface Written {
  bytes: Buffer
  /** By number of records, from none on. */
  states: ReadonlyMap<string, StoredVoucher>[]
  /** Where the last batch begins. */
  lastBatch: number
}

const random = new Seeded(SEED)
const tally = new Map<string, number>()
let folder = ''
let path = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'voucher-log-'))
  path = join(folder, 'vouchers.log')
})
after(() => rm(folder, { recursive: true }))

function randomVoucher(channelIds: readonly Uint8Array[]): StoredVoucher {
  return {
    channelId: toHex(random.pick(channelIds)),
    epoch: 1 + random.below(2),
    amount: BigInt(random.below(1_000_000)),
    signature: random.bytes(64),
    payer: toHex(random.bytes(20)),
    signer: toHex(random.bytes(20)),
    noticeSeconds: random.below(1_000_000),
  }
}

async function writeLog(): Promise<Written> {
  await rm(path, { force: true })
  const log = await openVoucherLog(path)
  const channelIds = Array.from({ length: CHANNELS }, () => random.bytes(32))
  const states: Written['states'] = [new Map()]
  let lastBatch = FILE_HEADER_BYTES
  for (let batches = 1 + random.below(12); batches > 0; batches--) {
    lastBatch = FILE_HEADER_BYTES + (states.length - 1) * RECORD_BYTES
    const batch = Array.from({ length: 1 + random.below(5) }, () => randomVoucher(channelIds))
    for (const voucher of batch) states.push(later(states.at(-1) ?? new Map(), voucher))
    await Promise.all(batch.map((voucher) => log.put(voucher)))
  }
  await log.close()
  const bytes = await readFile(path)
  assert.equal(bytes.length, FILE_HEADER_BYTES + (states.length - 1) * RECORD_BYTES)
  return { bytes, states, lastBatch }
}

/** The state with one more voucher, said another way than by the code under test. */
function later(state: ReadonlyMap<string, StoredVoucher>, voucher: StoredVoucher) {
  const worth = (of: StoredVoucher | undefined) =>
    of ? (BigInt(of.epoch) << 96n) + of.amount : -1n
  const isGreater = worth(voucher) > worth(state.get(voucher.channelId))
  return isGreater ? new Map([...state, [voucher.channelId, voucher]]) : state
}

const HARMS = {
  'a bit': (bytes: Buffer) => {
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    return bytes
  },
  'some bits': (bytes: Buffer) => {
    for (let bits = 2 + random.below(20); bits > 0; bits--) HARMS['a bit'](bytes)
    return bytes
  },
  truncated: (bytes: Buffer) => bytes.subarray(0, random.below(bytes.length + 1)),
  'more behind': (bytes: Buffer) => Buffer.concat([bytes, random.bytes(1 + random.below(500))]),
  'zeros behind': (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1 + random.below(5_000))]),
  'zeros within': (bytes: Buffer) => fill(bytes, (length) => new Uint8Array(length)),
  'noise within': (bytes: Buffer) => fill(bytes, (length) => random.bytes(length)),
  'bytes taken out': (bytes: Buffer) => {
    const [start, end] = range(bytes.length)
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
  },
  'bytes twice': (bytes: Buffer) => {
    const [start, end] = range(bytes.length)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
  },
  'records twice': (bytes: Buffer) => {
    const [start, end] = recordRange(bytes)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
  },
  'records swapped': (bytes: Buffer) => {
    const [start, end] = recordRange(bytes)
    const [from, until] = recordRange(bytes)
    const moved = Buffer.from(bytes.subarray(start, end))
    bytes.set(bytes.subarray(from, until).subarray(0, end - start), start)
    bytes.set(moved.subarray(0, until - from), from)
    return bytes
  },
  'records of another log': (bytes: Buffer, other: Buffer) => {
    const [start, end] = recordRange(bytes)
    return Buffer.concat([
      bytes.subarray(0, start),
      other.subarray(start, end),
      bytes.subarray(end),
    ])
  },
  noise: () => Buffer.from(random.bytes(random.below(3_000))),
} satisfies Record<string, (bytes: Buffer, other: Buffer) => Buffer>
type Harm = keyof typeof HARMS

function range(length: number): [start: number, end: number] {
  const start = random.below(length)
  return [start, start + 1 + random.below(length - start)]
}

function recordRange(bytes: Buffer): [start: number, end: number] {
  const count = Math.floor((bytes.length - FILE_HEADER_BYTES) / RECORD_BYTES)
  const [first, last] = range(count)
  return [FILE_HEADER_BYTES + first * RECORD_BYTES, FILE_HEADER_BYTES + last * RECORD_BYTES]
}

function fill(bytes: Buffer, content: (length: number) => Uint8Array): Buffer {
  const [start, end] = range(bytes.length)
  bytes.set(content(end - start), start)
  return bytes
}

/** What an opening finds; `undefined` when it is refused as it should be. */
async function reopened(what: string): Promise<ReadonlyMap<string, StoredVoucher> | undefined> {
  try {
    const log = await openVoucherLog(path)
    await log.close()
    return log.entries
  } catch (error) {
    assert.equal(errorCode(error), 'STORE_CORRUPT', `${what}: ${error}`)
    assert.match(String(error), /restore it from a backup, or (keep a copy and cut|move it away)/)
    return undefined
  }
}

/** The first byte that differs, or the end of the shorter one. */
function firstDifference(a: Buffer, b: Buffer): number {
  const shorter = Math.min(a.length, b.length)
  let at = 0
  while (at < shorter && a[at] === b[at]) at++
  return at
}

/** Harms a log and opens it, twice where the first opening cut something off. */
async function tryOne(written: Written, other: Written, what: string): Promise<void> {
  const harm = random.pick(Object.keys(HARMS) as Harm[])
  const harmed = HARMS[harm](Buffer.from(written.bytes), other.bytes)
  const label = `${what}, ${harm}`
  await writeFile(path, harmed)
  const found = await reopened(label)
  const first = firstDifference(harmed, written.bytes)
  const isDamaged = first < written.bytes.length || harmed.length > written.bytes.length
  const outcome = found ? (isDamaged ? 'cut' : 'whole') : 'refused'
  tally.set(`${harm}: ${outcome}`, (tally.get(`${harm}: ${outcome}`) ?? 0) + 1)
  if (!found) {
    assert.deepEqual(await readFile(path), harmed, `${label}: a refused file stays as it is`)
    return
  }
  const intact = Math.floor((first - FILE_HEADER_BYTES) / RECORD_BYTES)
  assert.deepEqual(found, written.states[intact], `${label}: everything before the damage`)
  assert.deepEqual(await reopened(label), found, `${label}: the same again`)
  const isOneBit = harm === 'a bit'
  assert.ok(!isOneBit || first >= written.lastBatch, `${label}: damage before the last batch`)
}

describe(`A damaged voucher log (FUZZ_SEED=${SEED}, FUZZ_CASES=${CASES})`, () => {
  it('holds all vouchers before the damage or is refused, and never holds a wrong one', async (t) => {
    let other = await writeLog()
    for (let done = 0; done < CASES; ) {
      const written = await writeLog()
      for (let i = 0; i < CASES_PER_LOG && done < CASES; i++, done++) {
        await tryOne(written, other, `FUZZ_SEED=${SEED}, case ${done}`)
      }
      other = written
    }
    for (const [outcome, times] of [...tally].sort()) t.diagnostic(`${outcome} ${times}`)
  })

  it('was refused and was cut, each by many kinds of harm', () => {
    const kinds = (outcome: string) => [...tally.keys()].filter((name) => name.endsWith(outcome))
    // seven of them are refused in every run; an eighth is so rare that not every seed has one
    assert.ok(kinds(': refused').length >= 7, JSON.stringify([...tally]))
    assert.ok(kinds(': cut').length >= 8, JSON.stringify([...tally]))
  })
})
