/** The other side of `wish-flood.ts`. */
import { randomBytes } from 'node:crypto'
import {
  type ByteStream,
  concatBytes,
  encodeFrame,
  encodeHello,
  encodeSubscribe,
  FRAME_BYTES,
  LINK_VERSION,
} from '@mainframe/protocol'
import { Network } from '../../../node/src/links/network.ts'
import type { FloodOrder, FloodReport } from './wish-flood.ts'

/** As many as a relay grants to one key. */
const LINKS_PER_KEY = 4
/** Who reads no answer asks one at a time, for an answer to each. */
const WISHES_PER_WRITE = { reading: 16, deaf: 1 }
const WISH_BITS = 8

process.once('message', (order: FloodOrder) => void flood(order))
process.once('disconnect', () => process.exit(0))

async function flood(order: FloodOrder): Promise<void> {
  const links = Array.from({ length: order.links }, (_, i) => i)
  const hosts = await Promise.all(
    links.filter((i) => i % LINKS_PER_KEY === 0).map(() => startHost()),
  )
  const streams = await Promise.all(
    links.map(async (i) => {
      const signal = AbortSignal.timeout(60_000)
      return await hosts[Math.floor(i / LINKS_PER_KEY)]?.open(order, signal)
    }),
  )
  const over = AbortSignal.timeout(order.durationMs)
  const report: FloodReport = { wishes: 0, ended: 0 }
  await Promise.all(
    streams.map(async (stream, i) => {
      if (stream) await wishOn(stream, { ...order, over, reads: i % 2 === 0 }, report)
    }),
  )
  process.send?.(report)
}

async function startHost(): Promise<Network> {
  const nodeSeed = Uint8Array.from(randomBytes(32))
  const host = new Network({ nodeSeed, listen: [], maxConnections: 1, maxConnectionsPerSecond: 1 })
  await host.start(() => {})
  return host
}

/** Says HELLO, waits for the answer, and replaces its wish until the time is over. */
async function wishOn(
  stream: ByteStream,
  { chainId, channels, over, reads }: FloodOrder & { over: AbortSignal; reads: boolean },
  report: FloodReport,
): Promise<void> {
  const hello = { version: LINK_VERSION, chainId, channels, signedQuotes: [] }
  try {
    stream.send(encodeFrame({ type: 'hello', body: encodeHello(hello) }))
    const chunks = stream[Symbol.asyncIterator]()
    for (let bytes = 0; bytes < FRAME_BYTES; ) {
      const { value } = await chunks.next()
      bytes += value ? value.subarray().length : FRAME_BYTES
    }
    if (reads) void readAll(chunks)
    const length = reads ? WISHES_PER_WRITE.reading : WISHES_PER_WRITE.deaf
    while (!over.aborted) {
      report.wishes += length
      const wishes = concatBytes(...Array.from({ length }, wish))
      if (!stream.send(wishes)) await stream.onDrain({ signal: over })
      await new Promise((resolve) => setImmediate(resolve))
    }
  } catch {
    if (!over.aborted) report.ended += 1
  }
}

function wish(): Uint8Array {
  const prefix = new Uint8Array(32)
  prefix.set(randomBytes(WISH_BITS / 8))
  const body = encodeSubscribe({ bits: WISH_BITS, prefix, cursor: 0 })
  return encodeFrame({ type: 'subscribe', body })
}

async function readAll(chunks: AsyncIterator<unknown>): Promise<void> {
  try {
    while (!(await chunks.next()).done);
  } catch {
    // the relay ended the link, which the writing half sees as well
  }
}
