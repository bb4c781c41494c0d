/** A local network for one test file: chain, indexer and relays as processes, and people on it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bringUp,
  type Chain,
  createPeople,
  type Indexer,
  type Launch,
  openClient,
  type Person,
  type RelayProcess,
  restartRelay,
  Shutdown,
} from '@mainframe/localnet'
import type { Hex } from '@mainframe/protocol'
import type { Mainframe } from '@mainframe/sdk'

const READY_TIMEOUT_MS = 120_000

export interface TestNetwork {
  folder: string
  chain: Chain
  indexer: Indexer
  /** Restarted relays take the place of the old ones. */
  relays: RelayProcess[]
  shutdown: Shutdown
}

/**
 * Resolves when every relay is linked and listed. What was started is stopped when it fails.
 * `launch` tells how to start a relay, by its place from 0.
 */
export async function startNetwork(
  count: number,
  launch: (index: number) => Launch = () => ({}),
): Promise<TestNetwork> {
  // The runner's time-out sends this; exit handlers then end the child processes.
  process.once('SIGTERM', () => process.exit(1))
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-e2e-'))
  const shutdown = new Shutdown()
  shutdown.add(() => rm(folder, { recursive: true }))
  try {
    const network = await bringUp({ folder, shutdown, count, launch })
    return { folder, shutdown, ...network }
  } catch (error) {
    await shutdown.stop()
    throw error
  }
}

/** People with wallets and inboxes, in the order of their names. */
export async function invite<const Names extends readonly string[]>(
  { chain, folder }: TestNetwork,
  names: Names,
): Promise<{ [I in keyof Names]: Person }> {
  const people = await createPeople(chain, folder, names)
  return people as { [I in keyof Names]: Person }
}

/** Opens a person's client; it is closed with the network unless the test does it. */
export async function goOnLine(person: Person, network: TestNetwork): Promise<Mainframe> {
  const client = await openClient(person, network)
  network.shutdown.add(() => client.close())
  return client
}

export function relayOf({ relays }: TestNetwork, nodeId: Hex | undefined): RelayProcess {
  const found = relays.find((relay) => relay.nodeId === nodeId)
  if (!found) throw new TypeError(`No relay has the node id ${nodeId}`)
  return found
}

/** Starts a relay again that has ended, and waits until it is linked to the others. */
export async function revive(
  network: TestNetwork,
  killed: RelayProcess,
  launch: Launch = {},
): Promise<RelayProcess> {
  const relay = restartRelay(killed, network.shutdown, launch)
  network.relays[network.relays.indexOf(killed)] = relay
  await relay.service.waitFor('ready', READY_TIMEOUT_MS)
  return relay
}
