import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { MainframeError } from '@mainframe/protocol'

/** `port` if nobody listens there, a free one for 0. Throws `CONFIG_IN_USE`. */
export async function claimPort(port: number, purpose: string): Promise<number> {
  const server = createServer()
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : port)
      })
    })
  } catch (cause) {
    throw new MainframeError(
      'CONFIG_IN_USE',
      `Port ${port} for the ${purpose} is in use; stop what listens there or choose another port`,
      { cause, details: { port } },
    )
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Below the ports that systems give to outgoing connections, one of which could take it meanwhile. */
const LISTENING_PORTS = { from: 12_000, count: 20_000 }
/** Ports that are tried for each that is wanted. */
const TRIES = 50

/** `count` different free ports. Throws `CONFIG_IN_USE` when there are hardly any. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  for (let tries = 0; ports.size < count; tries++) {
    const port = LISTENING_PORTS.from + randomInt(LISTENING_PORTS.count)
    const claimed = await claimPort(port, 'relay').catch((error: unknown) => {
      if (tries >= count * TRIES) throw error
    })
    if (claimed !== undefined) ports.add(claimed)
  }
  return [...ports]
}
