/** One relay process between a source and a sink, payment checks on, beside bare libp2p. */
import { join } from 'node:path'
import { fetchStatus, type RelayProcess, Shutdown } from '@mainframe/localnet'
import { echoRate } from './relay/bare.ts'
import type { Batch, Kind } from './relay/source.ts'
import { benchSeal } from './seal.ts'
import { Child } from './world/child.ts'
import { createAccount, rssMb, withNetwork } from './world/network.ts'
import { quantile, rounded } from './world/statistics.ts'

export interface RelayFigures {
  /** The best of 1, 16 and 64 frames a write, echoed by bare libp2p. */
  libp2pFramesPerSecond: number
  /** Named packets of others that the relay passed on. */
  forwardPacketsPerSecond: number
  forwardRatio: number
  /** FORWARDs that the relay opened, and injected what was in them. */
  unwrapPacketsPerSecond: number
  /** 1e6 / openUs of the seal bench in this run: a core that does nothing but open. */
  unwrapLimit: number
  unwrapRatio: number
  /** Of a packet over the relay, less the median of one sent to the sink directly, at 1,000 a second. */
  addedP50Ms: number
  addedP99Ms: number
  /** Resident memory of the relay afterwards. */
  rssMb: number
}

const COUNTS = { forward: 40_000, unwrap: 20_000, latency: 5_000, warmUp: 5_000 }
const RATE = 1_000
/** A deposit that lasts for the whole run: topping up waits for the chain. */
const FLAGS = ['--deposit-units', '5000000000']
const ROUNDS = 3

type Tell = (progress: string) => void

export async function benchRelay(tell: Tell): Promise<RelayFigures> {
  const { openUs } = benchSeal()
  const line = await measureLine(tell)
  const unwrapLimit = 1e6 / openUs
  const { libp2p, forward, unwrap } = line
  return {
    libp2pFramesPerSecond: Math.round(libp2p),
    forwardPacketsPerSecond: Math.round(forward),
    forwardRatio: rounded(forward / libp2p),
    unwrapPacketsPerSecond: Math.round(unwrap),
    unwrapLimit: Math.round(unwrapLimit),
    unwrapRatio: rounded(unwrap / unwrapLimit),
    addedP50Ms: rounded(line.addedP50Ms, 3),
    addedP99Ms: rounded(line.addedP99Ms, 3),
    rssMb: Math.round(line.rssMb),
  }
}

async function measureLine(tell: Tell) {
  return await withNetwork(
    { count: 2, flags: FLAGS, tell },
    async ({ chain, relays, shutdown }) => {
      const [relay, end] = relays
      if (!relay || !end) throw new TypeError('Two relays were started')
      await end.service.stop()
      const configFile = join(end.folder, 'config.json')
      const sink = new Child('relay/sink.ts', { configFile }, shutdown)
      await sink.next('listening')
      const [relayKey, sinkKey] = [relay.nodeKey, end.nodeKey]
      const settings = { ...(await createAccount(chain)), relayKey, sinkKey }
      const source = new Child('relay/source.ts', settings, shutdown)
      await source.next('ready')
      const run = (batch: Batch) => runBatch({ source, relay, sink }, batch)
      await run({ kind: 'forward', count: COUNTS.warmUp })
      await run({ kind: 'unwrap', count: COUNTS.warmUp })
      // rounds that take turns, so that a busy moment of the machine falls on all alike
      const rates = { libp2p: [] as number[], forward: [] as number[], unwrap: [] as number[] }
      for (let round = 1; round <= ROUNDS; round++) {
        tell(`round ${round} of ${ROUNDS}`)
        rates.libp2p.push(await bestEcho())
        for (const kind of ['forward', 'unwrap'] as const) {
          rates[kind].push(rateOf(await run({ kind, count: COUNTS[kind] })))
        }
      }
      tell('latency')
      const paced = (kind: Kind) => run({ kind, count: COUNTS.latency, perSecond: RATE })
      const [direct, over] = [latencies(await paced('direct')), latencies(await paced('forward'))]
      const base = quantile(direct, 0.5)
      return {
        libp2p: quantile(rates.libp2p, 0.5),
        forward: quantile(rates.forward, 0.5),
        unwrap: quantile(rates.unwrap, 0.5),
        addedP50Ms: quantile(over, 0.5) - base,
        addedP99Ms: quantile(over, 0.99) - base,
        rssMb: rssMb(relay.service.pid ?? 0),
      }
    },
  )
}

async function bestEcho(): Promise<number> {
  const shutdown = new Shutdown()
  try {
    const echo = new Child('relay/echo.ts', {}, shutdown)
    const { address } = await echo.next('listening')
    const rates: number[] = []
    for (const frames of [1, 16, 64]) rates.push(await echoRate(String(address), frames))
    return Math.max(...rates)
  } finally {
    await shutdown.stop()
  }
}

interface Trip {
  /** Packets that the relay was too busy for, and that were sent again. */
  refusals: number
  departures: number[]
  arrivals: { index: number; atMs: number }[]
}

/** Sends a batch and waits until the sink has all of it. Throws when a packet is missing. */
async function runBatch(
  { source, relay, sink }: { source: Child; relay: RelayProcess; sink: Child },
  batch: Batch,
): Promise<Trip> {
  const sent = source.next('sent')
  source.send('run', { batch })
  const { departures, refusals } = await sent
  const deadline = performance.now() + 10_000
  for (;;) {
    const counted = sink.next('count')
    sink.send('count')
    const { count } = await counted
    if (count === batch.count) break
    if (performance.now() > deadline) {
      const { outcomes, opened, undeliverable, queues } = await fetchStatus(relay)
      const why = JSON.stringify({ refusals, outcomes, opened, undeliverable, queues })
      throw new Error(`${count} of ${batch.count} packets arrived: ${why}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const taken = sink.next('arrivals')
  sink.send('take')
  const { arrivals } = await taken
  return { departures, arrivals, refusals } as Trip
}

function rateOf({ arrivals }: Trip): number {
  const times = arrivals.map(({ atMs }) => atMs)
  const spanMs = Math.max(...pieces(times, Math.max)) - Math.min(...pieces(times, Math.min))
  return (times.length - 1) / (spanMs / 1_000)
}

/** Reduces a long list in pieces, as an argument list has a limit. */
function pieces(values: number[], reduce: (...values: number[]) => number): number[] {
  const found: number[] = []
  for (let i = 0; i < values.length; i += 1_000) found.push(reduce(...values.slice(i, i + 1_000)))
  return found
}

function latencies({ departures, arrivals }: Trip): number[] {
  return arrivals.map(({ index, atMs }) => atMs - (departures[index] ?? Number.NaN))
}
