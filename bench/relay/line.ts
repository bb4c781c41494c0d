/** A source, a relay and a sink in a row, each a process of its own, and packets along them. */
import { join } from 'node:path'
import { fetchStatus, type RelayProcess } from '@mainframe/localnet'
import { Child } from '../world/child.ts'
import { type BenchNetwork, createAccount } from '../world/network.ts'
import type { Batch } from './source.ts'

export interface Line {
  source: Child
  relay: RelayProcess
  sink: Child
}

/** What became of a batch. */
export interface Trip {
  /** Packets that the relay was too busy for, and that were sent again. */
  refusals: number
  departures: number[]
  arrivals: { index: number; atMs: number }[]
}

const ARRIVAL_TIMEOUT_MS = 10_000
const LOOK_MS = 20

/** Makes a sink of the second relay and lets an account of its own pay for what the source sends. */
export async function startLine({ chain, relays, shutdown }: BenchNetwork): Promise<Line> {
  const [relay, end] = relays
  if (!relay || !end) throw new TypeError('Two relays were started')
  const sink = await replaceRelay(end, 'relay/sink.ts', shutdown)
  const [relayKey, sinkKey] = [relay.nodeKey, end.nodeKey]
  const settings = { ...(await createAccount(chain)), relayKey, sinkKey }
  const source = new Child('relay/source.ts', settings, shutdown)
  await source.next('ready')
  return { source, relay, sink }
}

/** Puts a child that is more, or less, than a relay in the place of a relay's process. */
export async function replaceRelay(
  relay: RelayProcess,
  file: string,
  shutdown: BenchNetwork['shutdown'],
): Promise<Child> {
  await relay.service.stop()
  const child = new Child(file, { configFile: join(relay.folder, 'config.json') }, shutdown)
  await child.next('listening')
  return child
}

/** Sends a batch and waits until the sink has all of it. Throws when a packet is missing. */
export async function runBatch({ source, relay, sink }: Line, batch: Batch): Promise<Trip> {
  const sent = source.next('sent')
  source.send('run', { batch })
  const { departures, refusals } = await sent
  const deadline = performance.now() + ARRIVAL_TIMEOUT_MS
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
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  const taken = sink.next('arrivals')
  sink.send('take')
  const { arrivals } = await taken
  return { departures, arrivals, refusals } as Trip
}

/** Milliseconds from the first arrival to the last. */
export function spanMs({ arrivals }: Trip): number {
  const times = arrivals.map(({ atMs }) => atMs)
  return pieces(times, Math.max) - pieces(times, Math.min)
}

/** Reduces a long list in pieces, as an argument list has a limit. */
function pieces(values: readonly number[], reduce: (...values: number[]) => number): number {
  const found: number[] = []
  for (let i = 0; i < values.length; i += 1_000) found.push(reduce(...values.slice(i, i + 1_000)))
  return reduce(...found)
}
