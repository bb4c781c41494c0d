/** Subscriptions without end, from a process of its own. The other side is `wish-flood-child.ts`. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RelayProcess } from '@mainframe/localnet'
import { fromHex } from '@mainframe/protocol'
import type { TestNetwork } from './network.ts'

export interface FloodOrder {
  nodeKey: Uint8Array
  multiaddrs: readonly string[]
  chainId: number
  channels: Uint8Array
  /** Links at a time; every second one never reads an answer. */
  links: number
  /** How long wishes are sent. */
  durationMs: number
}

export interface FloodReport {
  /** Subscriptions that left; all but the first on a link replace the one before. */
  wishes: number
  /** Links that the relay ended. */
  ended: number
}

const CHILD = fileURLToPath(new URL('wish-flood-child.ts', import.meta.url))

/** Floods a relay with subscriptions as fast as it takes them; the links stay until the end. */
export async function floodWithWishes(
  { nodeKey, multiaddrs }: RelayProcess,
  { chain, shutdown }: TestNetwork,
  order: Pick<FloodOrder, 'links' | 'durationMs'>,
): Promise<FloodReport> {
  const child = fork(CHILD, { serialization: 'advanced' })
  shutdown.add(async () => void child.kill('SIGKILL'))
  const { chainId, channels } = chain.deployment
  const where = { nodeKey, multiaddrs, chainId, channels: fromHex(channels, 20) }
  child.send({ ...where, ...order } satisfies FloodOrder)
  const [report] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  child.kill('SIGKILL')
  assert.ok(typeof report === 'object' && report !== null, 'the flood ends by itself')
  return report as FloodReport
}
