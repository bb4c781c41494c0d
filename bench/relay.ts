/** One relay process between a source and a sink, payment checks on, beside bare libp2p. */
import { Shutdown } from '@mainframe/localnet'
import { echoRate } from './relay/bare.ts'
import { runBatch, spanMs, startLine, type Trip } from './relay/line.ts'
import type { Batch, Kind } from './relay/source.ts'
import { benchSeal } from './seal.ts'
import { Child } from './world/child.ts'
import { rssMb, withNetwork } from './world/network.ts'
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
  return await withNetwork({ count: 2, flags: FLAGS, tell }, async (network) => {
    const line = await startLine(network)
    const run = (batch: Batch) => runBatch(line, batch)
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
      rssMb: rssMb(line.relay.service.pid ?? 0),
    }
  })
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

function rateOf(trip: Trip): number {
  return (trip.arrivals.length - 1) / (spanMs(trip) / 1_000)
}

function latencies({ departures, arrivals }: Trip): number[] {
  return arrivals.map(({ index, atMs }) => atMs - (departures[index] ?? Number.NaN))
}
