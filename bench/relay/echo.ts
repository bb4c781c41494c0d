/** The other side of the bare libp2p baseline: sends back what it reads, chunk by chunk. */

import { settingsOf, tellBench } from '../world/child.ts'
import { createLibp2pHost, ECHO_PROTOCOL } from './bare.ts'

await settingsOf()
const host = await createLibp2pHost(['/ip4/127.0.0.1/tcp/0'])
await host.handle(ECHO_PROTOCOL, async (stream) => {
  for await (const chunk of stream) {
    if (!stream.send(chunk.subarray())) await stream.onDrain()
  }
})
tellBench('listening', { address: host.getMultiaddrs()[0]?.toString() })
