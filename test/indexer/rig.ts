/** An indexer that has caught up with a chain in the test's hand. */
import type { ApiReadyAnswer } from '@mainframe/protocol'
import type { DatabaseOptions } from '../../indexer/src/db/open.ts'
import { type RunningIndexer, startIndexer } from '../../indexer/src/indexer.ts'
import { type Action, DEPLOYMENT, FakeChain, serveChain } from './fake-chain.ts'
import { until } from './harness.ts'

const MFT = 10n ** 18n
/** 10^-9 MFT. */
const UNIT = 10n ** 9n

export interface Rig {
  chain: FakeChain
  indexer: RunningIndexer
  /** The chain's RPC. */
  rpcUrl: string
  /** Waits until the indexer has the chain's head. */
  caughtUp(): Promise<void>
  stop(): Promise<void>
}

/** `populate` mines what is there before the indexer starts. */
export async function startRig(
  settings: DatabaseOptions,
  populate: (chain: FakeChain) => void,
  options: { rateLimitPerMinute?: number; finalityDepth?: number } = {},
): Promise<Rig> {
  const chain = new FakeChain()
  populate(chain)
  const rpc = await serveChain(chain)
  const indexer = await startIndexer({
    ...settings,
    rpcUrl: rpc.url,
    deployment: DEPLOYMENT,
    host: '127.0.0.1',
    port: 0,
    finalityDepth: 10,
    pollIntervalMs: 20,
    rpcRequestsPerSecond: 10_000,
    role: 'both',
    rateLimitPerMinute: 100_000,
    logLevel: 'silent',
    ...options,
  })
  const caughtUp = () =>
    until(async () => {
      const ready = (await (await fetch(`${indexer.url}/readyz`)).json()) as ApiReadyAnswer
      const { block } = (await metaOf(indexer.url)) ?? {}
      return ready.ready && block?.hash === chain.head.hash
    }, 'the indexer has the head of the chain')
  await caughtUp()
  return {
    chain,
    indexer,
    rpcUrl: rpc.url,
    caughtUp,
    async stop() {
      await indexer.stop()
      await rpc.close()
    },
  }
}

async function metaOf(url: string): Promise<{ block: { hash: string } } | undefined> {
  const answer = (await (await fetch(`${url}/v1/nodes?limit=1`)).json()) as {
    meta?: { block: { hash: string } }
  }
  return answer.meta
}

/** `count` relays of half as many operators, each with prices of its own. */
export function mineRelays(chain: FakeChain, count: number): string[] {
  const names = Array.from({ length: count }, (_, i) => `relay${i >> 1}/${i}`)
  for (const [i, node] of names.entries()) {
    chain.mine([
      { type: 'register', node, stake: BigInt(100 + 7 * i) * MFT },
      pricesOf(node, (100n + BigInt(i)) * UNIT),
    ])
  }
  chain.mine()
  return names
}

/** Sets both prices that every relay has; in the units that the protocol wants. */
export function pricesOf(node: string, price: bigint): Action {
  const rows = [
    { service: 'route/1', price },
    { service: 'hold/1', price: 2n * price, unit: 1 },
  ]
  return { type: 'prices', node, rows }
}
