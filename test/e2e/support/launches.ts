/** Ways to start a relay's process that make it a faulty one. */
import type { Launch, RelayProcess } from '@mainframe/localnet'

const preload = (name: string, query = ''): Launch => ({
  nodeArgs: ['--import', new URL(`${name}${query}`, import.meta.url).href],
})

/** A clock that is off by so many milliseconds. */
export function skewedBy(ms: number): Launch {
  return preload('skewed-clock.ts', `?ms=${ms}`)
}

/** Takes packets and money, acknowledges, and passes nothing on, between two {@link toggle}s. */
export const dropping = preload('dropping-relay.ts')

/** Changes bytes of every packet that it passes on, between two {@link toggle}s. */
export const garbling = preload('garbling-relay.ts')

/** Makes a dropping or garbling relay hostile, and the next time an honest one again. */
export function toggle({ service }: RelayProcess): void {
  if (service.pid !== undefined) process.kill(service.pid, 'SIGUSR2')
}

/** `ulimit -f` counts blocks of 512 bytes. */
const BLOCK_BYTES = 512

/**
 * No file of the process may grow past so many bytes: a write fails like one to a full disk. It is
 * the limit of the shell (RLIMIT_FSIZE) because that needs no privilege, as a small file system would.
 */
export function fullDiskAt(bytes: number): Launch {
  const script = `ulimit -f ${Math.floor(bytes / BLOCK_BYTES)} && exec "$@"`
  return { wrapper: ['sh', '-c', script, 'sh'] }
}
