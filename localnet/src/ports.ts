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

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await claimPort(0, 'relay'))
  return [...ports]
}
