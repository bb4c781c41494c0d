/** What the tests of the relay's chain side share. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex, NodeRow } from '@mainframe/protocol'
import { ChainDirectory } from '../../node/src/chain/directory.ts'
import { ChainFollower, type FollowerOptions } from '../../node/src/chain/follow.ts'
import { Rpc } from '../../node/src/chain/rpc.ts'
import { TransactionSender } from '../../node/src/chain/transactions.ts'
import { createKeys, type RelayKeys } from '../../node/src/operator/keys.ts'
import { setPrices } from '../../node/src/operator/prices.ts'
import { fetchNode, registerRelay } from '../../node/src/operator/register.ts'
import type { TestChain } from '../helpers/chain.ts'

export const MFT = 10n ** 18n
/** Looks often: the chain of a test mines at once. */
export const POLL_MS = 10

type ReachableChain = Pick<TestChain, 'rpcUrl' | 'deployment'>

export async function newFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'relay-'))
}

export async function newKeys(): Promise<RelayKeys> {
  const folder = await newFolder()
  const keys = await createKeys(folder)
  await rm(folder, { recursive: true })
  return keys
}

export function senderOf(chain: ReachableChain, secretKey: Uint8Array, rpcUrl = chain.rpcUrl) {
  const { chainId } = chain.deployment
  return new TransactionSender({
    rpc: new Rpc({ url: rpcUrl }),
    chainId,
    secretKey,
    pollMs: POLL_MS,
  })
}

/** A relay with coin, MFT, registration and prices. */
export interface TestRelay {
  keys: RelayKeys
  node: NodeRow
  sender: TransactionSender
}

export async function createRelay(
  chain: TestChain,
  { mft = 10_000n * MFT } = {},
): Promise<TestRelay> {
  const { deployment } = chain
  const [operator, keys] = [await chain.createAccount(2_000n * MFT), await newKeys()]
  await chain.fund(keys.hotAccount, mft)
  const rpc = new Rpc({ url: chain.rpcUrl })
  const registration = await registerRelay({
    rpc,
    deployment,
    operatorSecret: operator.secretKey,
    keys,
    stakeBase: 1_000n * MFT,
    multiaddrs: ['/ip4/127.0.0.1/tcp/4001', '/dns4/relay.example/tcp/443/wss'],
    metadata: '{"name":"a relay"}',
    pollMs: POLL_MS,
  })
  const node = await fetchNode(rpc, deployment, registration.nodeId)
  if (!node) throw new TypeError('the registration is not in the log')
  const sender = senderOf(chain, keys.hotSecret)
  await setPrices({
    rpc,
    deployment,
    sender,
    node,
    prices: { routeUnits: 1_000, holdUnitsPerHour: 50 },
  })
  return { keys, node, sender }
}

/** A directory that follows the chain; the caller stops the follower. */
export function follow(
  chain: ReachableChain,
  account: RelayKeys['hotAccount'],
  { media = [], ...options }: Partial<FollowerOptions> & { media?: readonly Hex[] } = {},
): { directory: ChainDirectory; follower: ChainFollower } {
  const { deployment } = chain
  const directory = new ChainDirectory({ deployment, account, media })
  const rpc = new Rpc({ url: chain.rpcUrl })
  const defaults = {
    rpc,
    deployment,
    directory,
    confirmations: 2,
    epochSeconds: 86_400,
    pollMs: POLL_MS,
  }
  return { directory, follower: new ChainFollower({ ...defaults, ...options }) }
}

/** Waits until a condition holds, looking every few milliseconds; throws after a while. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still waiting for ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
