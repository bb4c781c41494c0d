/** A whole network in one call, for tests and benches; `npm start` brings it up step by step. */
import type { ApiNetworkAnswer } from '@mainframe/protocol'
import { MainframeError } from '@mainframe/protocol'
import { type Chain, startChain } from './chain.ts'
import { type Indexer, startIndexer } from './indexer.ts'
import { type Launch, type RelayProcess, startRelays } from './relays.ts'
import type { Shutdown } from './shutdown.ts'

export interface BringUpOptions {
  /** For keys, logs and databases; it must be empty. */
  folder: string
  /** Stops whatever was started. */
  shutdown: Shutdown
  /** Relays to start. */
  count: number
  /** How to start a relay, by its place from 0; as usual unless given. */
  launch?: (index: number) => Launch
  /** Relays also listen on WebSocket, for browsers. */
  webSocket?: boolean | undefined
}

export interface LocalNetwork {
  chain: Chain
  indexer: Indexer
  relays: RelayProcess[]
}

/** More relays than this that start at the same time starve the indexer beside them. */
const FEW_RELAYS = 8
const LISTED_TIMEOUT_MS = 120_000
const POLL_MS = 100

/**
 * Resolves when every relay is linked and listed. What was started before it fails is for `shutdown` to
 * stop. Throws `INTERNAL` with what a process said last, `NETWORK_TIMEOUT`.
 */
export async function bringUp(options: BringUpOptions): Promise<LocalNetwork> {
  const { folder, shutdown, count, launch, webSocket } = options
  const chain = await startChain({ folder, port: 0, shutdown })
  const starting = startIndexer({ chain, folder, port: 0, shutdown })
  if (count > FEW_RELAYS) await starting
  const [indexer, relays] = await Promise.all([
    starting,
    startRelays({ chain, folder, count, shutdown, launch, webSocket }),
  ])
  await waitUntilListed(indexer, count)
  return { chain, indexer, relays }
}

async function waitUntilListed({ url }: Indexer, count: number): Promise<void> {
  const deadline = Date.now() + LISTED_TIMEOUT_MS
  for (;;) {
    const answer = await fetch(`${url}/v1/network`)
    const { activeRelays } = (await answer.json()) as ApiNetworkAnswer
    if (activeRelays === count) return
    if (Date.now() > deadline) {
      const message = `The indexer lists ${activeRelays} of ${count} relays; see its log`
      throw new MainframeError('NETWORK_TIMEOUT', message)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
