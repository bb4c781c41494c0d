/** What bare libp2p does with the same frames on the same transports: the baseline. */
import { randomBytes } from 'node:crypto'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { FRAME_BYTES, STREAM_WINDOW_BYTES } from '@mainframe/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

export const ECHO_PROTOCOL = '/mainframe/bench/echo'
const FRAMES = 100_000

export async function createLibp2pHost(listen: string[]): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })],
    connectionGater: { denyDialMultiaddr: () => false },
  })
}

/** Frames a second that the process at this address echoes, so many in one write. */
export async function echoRate(address: string, framesPerWrite: number): Promise<number> {
  const host = await createLibp2pHost([])
  try {
    const stream = await host.dialProtocol(multiaddr(address), ECHO_PROTOCOL)
    const chunk = Uint8Array.from(randomBytes(framesPerWrite * FRAME_BYTES))
    const writes = Math.floor(FRAMES / framesPerWrite)
    const start = performance.now()
    const reading = (async () => {
      let left = writes * chunk.length
      for await (const echoed of stream) {
        left -= echoed.byteLength
        if (left <= 0) return
      }
    })()
    for (let i = 0; i < writes; i++) {
      if (!stream.send(chunk)) await stream.onDrain()
    }
    await reading
    return (writes * framesPerWrite) / ((performance.now() - start) / 1_000)
  } finally {
    await host.stop()
  }
}
