/** Relays that stand in the registry and on the price board of a real chain; nobody runs them. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiNode, Hex, NodeRow } from '@mainframe/protocol'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { TransactionSender } from '../../../node/src/chain/transactions.ts'
import { createKeys } from '../../../node/src/operator/keys.ts'
import { setPrices } from '../../../node/src/operator/prices.ts'
import { registerRelay } from '../../../node/src/operator/register.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { logIndexer } from './log-indexer.ts'

const STAKE_BASE = 1000n * 10n ** 18n
const POLL_MS = 20

/** Their node ids, once their prices are in force. They ask 1000, 1001… units for routing. */
export async function registerRelays(
  chain: TestChain,
  folder: string,
  count: number,
): Promise<Hex[]> {
  const nodeIds: Hex[] = []
  for (let i = 0; i < count; i++) nodeIds.push(await register(chain, folder, i))
  await chain.passTime(5) // longer than the board's delay
  return nodeIds
}

async function register(chain: TestChain, folder: string, index: number): Promise<Hex> {
  const { deployment, rpcUrl } = chain
  const rpc = new Rpc({ url: rpcUrl })
  const operator = await chain.createAccount(STAKE_BASE)
  const relayFolder = join(folder, `relay-${index}`)
  await mkdir(relayFolder)
  const keys = await createKeys(relayFolder)
  await chain.request('hardhat_setBalance', [keys.hotAccount, '0x8ac7230489e80000'])
  const { nodeId } = await registerRelay({
    rpc,
    deployment,
    operatorSecret: operator.secretKey,
    keys,
    stakeBase: STAKE_BASE,
    multiaddrs: [`/ip4/127.0.0.1/tcp/${4001 + index}`],
    metadata: '',
    pollMs: POLL_MS,
  })
  await chain.mine() // the block that seeds the overlay address
  const answer = await logIndexer(chain)(new URL('http://x/v1/nodes'))
  const { nodes } = (await answer.json()) as { nodes: ApiNode[] }
  const node = nodes.find((row) => row.nodeId === nodeId)
  assert.ok(node)
  const { chainId } = deployment
  const secretKey = keys.hotSecret
  const sender = new TransactionSender({ rpc, chainId, secretKey, pollMs: POLL_MS })
  const row: NodeRow = { ...node, multiaddrs: node.multiaddrsRaw, stake: BigInt(node.stake) }
  const prices = { routeUnits: 1000 + index, holdUnitsPerHour: 20 }
  await setPrices({ rpc, deployment, sender, node: row, prices })
  return nodeId
}
