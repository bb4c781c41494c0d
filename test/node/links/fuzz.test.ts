/**
 * Hostile bytes into everything that reads a peer's. `FUZZ_CASES` sets how many (20,000 unless told
 * otherwise), `FUZZ_SEED` repeats a run. With --expose-gc the heap is measured as well.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { attackPayee, attackPayer } from '../support/fuzz-links.ts'
import {
  type Fuzz,
  fuzzBody,
  fuzzFrame,
  fuzzInstruction,
  fuzzPacket,
  fuzzStream,
} from '../support/fuzz-readers.ts'
import { createSamples, creditBody } from '../support/fuzz-samples.ts'
import { openChannel } from '../support/memory-channels.ts'
import { MemoryRelay } from '../support/memory-relay.ts'
import { Seeded } from '../support/seeded.ts'

const CASES = Number(process.env.FUZZ_CASES ?? 20_000)
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 32))
/** Cases before relay and samples are made anew, since expiries pass and stores fill. */
const ROUND = 5_000
/** The heap may be this much larger after any number of cases. */
const HEAP_SLACK_BYTES = 16 * 1024 * 1024

const random = new Seeded(SEED)
const counts = new Map<string, number>()
const count = (outcome: string, times = 1) =>
  counts.set(outcome, (counts.get(outcome) ?? 0) + times)

/** A relay with one neighbour that it cannot reach, and what to spoil. */
function createTarget() {
  const relays = [0, 1].map((i) => new MemoryRelay(`relay ${i}`, random.fork(), {}))
  const [relay] = relays
  assert.ok(relay)
  relay.join(relays, 0)
  const samples = createSamples(random, relay)
  const voucher = creditBody(openChannel({ secretKey: random.bytes(32) }, relay), 9)
  const fuzz: Fuzz = { random, count, samples, sealKey: relay.sealKey, voucher }
  const stop = async () => {
    for (const { router } of relays) router.stop()
    await relay.incoming.stop()
  }
  return { relay, fuzz, stop }
}

/** One case, or several frames of one link; answers how many. */
async function fuzzOnce({ relay, fuzz }: ReturnType<typeof createTarget>): Promise<number> {
  const kind = random.below(100)
  if (kind < 35) fuzzPacket(fuzz)
  else if (kind < 50) fuzzInstruction(fuzz)
  else if (kind < 62) fuzzFrame(fuzz)
  else if (kind < 68) await fuzzStream(fuzz)
  else if (kind < 86) fuzzBody(fuzz)
  else if (kind < 94) return await attackPayee(random, relay, fuzz.samples)
  else return await attackPayer(fuzz, relay)
  return 1
}

async function fuzzMany(cases: number): Promise<number> {
  let done = 0
  while (done < cases) {
    const target = createTarget()
    for (const end = Math.min(cases, done + ROUND); done < end; ) done += await fuzzOnce(target)
    await target.stop()
    tally('router', target.relay.router.outcomes)
    tally('opened', target.relay.router.opened)
    tally('link fault', target.relay.incoming.faults)
    tally('voucher', target.relay.incoming.credits)
    tally('release', target.relay.incoming.releases)
  }
  return done
}

function tally(of: string, outcomes: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(outcomes))
    if (times > 0) count(`${of}: ${name}`, times)
}

async function heapBytes(): Promise<number | undefined> {
  if (!globalThis.gc) return undefined
  for (let i = 0; i < 3; i++) {
    await setImmediate()
    globalThis.gc()
  }
  return process.memoryUsage().heapUsed
}

describe(`Any bytes (FUZZ_SEED=${SEED}, FUZZ_CASES=${CASES})`, () => {
  const rejections: unknown[] = []
  const onRejection = (reason: unknown) => rejections.push(reason)
  before(() => process.on('unhandledRejection', onRejection))
  after(() => process.off('unhandledRejection', onRejection))

  it('give an outcome, and neither an exception nor a hang nor a growing heap', async (t) => {
    const warm = await fuzzMany(CASES / 10)
    const heapBefore = await heapBytes()
    const startedMs = performance.now()
    const cases = warm + (await fuzzMany(CASES - warm))
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    const heapAfter = await heapBytes()
    t.diagnostic(`${cases} cases in ${seconds} s, heap ${heapBefore} before, ${heapAfter} after`)
    for (const [outcome, times] of [...counts].sort()) t.diagnostic(`${outcome} ${times}`)
    assert.deepEqual(rejections, [])
    if (heapBefore !== undefined && heapAfter !== undefined) {
      assert.ok(heapAfter - heapBefore < HEAP_SLACK_BYTES, `${heapAfter - heapBefore} bytes more`)
    }
  })

  it('reached every reader, with bytes that it takes and bytes that it does not', () => {
    const expected = [
      ...['taken', 'malformed', 'version', 'expired', 'too-far'].map((o) => `decodePacket: ${o}`),
      ...['opened', 'unopened', 'damaged'].map((o) => `openPacket: ${o}`),
      ...['drop', 'forward', 'message', 'none'].map((o) => `decodeInstruction: ${o}`),
      ...['packet', 'ack', 'none'].map((o) => `decodeFrame: ${o}`),
      ...['whole', 'broken'].map((o) => `readFrames: ${o}`),
      ...['Hello', 'Ack', 'Subscribe', 'Credit', 'ReleaseAnswer'].flatMap((d) =>
        ['read', 'none'].map((o) => `decode${d}: ${o}`),
      ),
      ...['read', 'none'].map((o) => `openQuote: ${o}`),
      ...['held', 'named', 'malformed', 'no-credit', 'underpaid'].map((o) => `router: ${o}`),
      ...['undecodable', 'out-of-order', 'unexpected'].map((o) => `link fault: ${o}`),
      ...['accepted', 'bad-signature', 'unknown-channel'].map((o) => `voucher: ${o}`),
      ...['released', 'too-low', 'unknown-channel'].map((o) => `release: ${o}`),
      ...['accepted', 'refused', 'delivered', 'stopped'].map((o) => `PayerLink: ${o}`),
      'PayerLink: not let go',
    ]
    const missing = expected.filter((outcome) => !counts.has(outcome))
    assert.deepEqual(missing, [], JSON.stringify(Object.fromEntries(counts)))
  })
})
