/** A relay's entry in the registry. */
import {
  type Deployment,
  decodeLog,
  fromHex,
  type Hex,
  type NodeRecord,
  type NodeRow,
  nodeIdOf,
  type RawLog,
  reduceNode,
  secretKeyAccount,
  signRegistration,
  toHex,
  utf8,
} from '@mainframe/protocol'
import { AbiCoder, keccak256, toQuantity } from 'ethers'
import { callView, registryContract, TRANSFER_AND_CALL, tokenContract } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import { TransactionSender } from '../chain/transactions.ts'
import type { RelayKeys } from './keys.ts'

const RECORD_TYPE =
  'tuple(address manager,address payee,bytes32 sealKey,bytes multiaddrs,bytes metadata)'

/** What a relay says about itself. */
export interface Announcement {
  multiaddrs: readonly string[]
  /** Free text, at most 512 bytes. */
  metadata: string
}

export interface RegisterOptions extends Announcement {
  rpc: Rpc
  deployment: Deployment
  /** The cold account that owns stake and relay; its key is needed here and never again to run. */
  operatorSecret: Uint8Array
  keys: RelayKeys
  stakeBase: bigint
  /** As of `TransactionSender`. */
  pollMs?: number
}

/** How a relay stands in the registry. */
export interface Registration {
  nodeId: Hex
  /** Of the transaction that registered it now; `undefined` when it was registered before. */
  transactionHash: Hex | undefined
}

/**
 * Registers the relay with its stake in one transaction by the operator; the hot account becomes
 * manager and payee. A node that is registered already is left as it is. Errors as
 * `TransactionSender.send`.
 */
export async function registerRelay(options: RegisterOptions): Promise<Registration> {
  const { rpc, deployment, operatorSecret, keys, stakeBase } = options
  const nodeId = toHex(nodeIdOf(secretKeyAccount(operatorSecret), keys.nodeKey))
  if (await isRegistered(rpc, deployment, nodeId)) return { nodeId, transactionHash: undefined }
  const sender = new TransactionSender({
    rpc,
    chainId: deployment.chainId,
    secretKey: operatorSecret,
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
  })
  const args = [deployment.registry, stakeBase, encodeRegistration(options)]
  const { transactionHash } = await sender.send({
    to: deployment.token,
    data: tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args) as Hex,
    what: 'register',
  })
  return { nodeId, transactionHash }
}

function encodeRegistration(options: RegisterOptions): string {
  const { deployment, operatorSecret, keys } = options
  const signature = signRegistration(keys.nodeSeed, {
    chainId: BigInt(deployment.chainId),
    registry: fromHex(deployment.registry),
    operator: secretKeyAccount(operatorSecret),
  })
  const record: NodeRecord = {
    manager: keys.hotAccount,
    payee: keys.hotAccount,
    sealKey: toHex(keys.sealKey.publicKey),
    ...encodeAnnouncement(options),
  }
  const types = ['bytes32', RECORD_TYPE, 'bytes']
  return AbiCoder.defaultAbiCoder().encode(types, [keys.nodeKey, record, signature])
}

/** Publishes changed addresses or metadata by the manager; the hash of the transaction, if any. */
export async function updateRelay(
  node: NodeRow,
  wished: Announcement,
  { sender, deployment }: { sender: TransactionSender; deployment: Deployment },
): Promise<Hex | undefined> {
  const { multiaddrs, metadata } = encodeAnnouncement(wished)
  if (node.multiaddrs === multiaddrs && node.metadata === metadata) return undefined
  const content = AbiCoder.defaultAbiCoder().encode(
    ['bytes32', 'bytes32'],
    [keccak256(node.multiaddrs), keccak256(node.metadata)],
  )
  const kept = { payee: node.payee, sealKey: node.sealKey, contentHash: keccak256(content) }
  const args = [node.nodeId, kept, multiaddrs, metadata]
  const data = registryContract.encodeFunctionData('update', args) as Hex
  const receipt = await sender.send({ to: deployment.registry, data, what: 'update' })
  return receipt.transactionHash
}

/** The node as the latest block has it, from its own logs; `undefined` when never registered. */
export async function fetchNode(
  rpc: Rpc,
  deployment: Deployment,
  nodeId: Hex,
): Promise<NodeRow | undefined> {
  const filter = {
    address: deployment.registry,
    fromBlock: toQuantity(deployment.block),
    toBlock: 'latest',
    topics: [null, nodeId],
  }
  const logs = await rpc.request<RawLog[]>('eth_getLogs', [filter])
  let row: NodeRow | undefined
  for (const log of logs) {
    const event = decodeLog(log, deployment)
    if (event && !('channelId' in event) && event.type !== 'PriceSet') row = reduceNode(row, event)
  }
  return row
}

async function isRegistered(rpc: Rpc, { registry }: Deployment, nodeId: Hex): Promise<boolean> {
  const [states] = await callView(rpc, {
    to: registry,
    contract: registryContract,
    method: 'states',
    args: [[nodeId]],
  })
  return states[0].registeredAt !== 0n
}

function encodeAnnouncement(
  announcement: Announcement,
): Pick<NodeRecord, 'multiaddrs' | 'metadata'> {
  return {
    multiaddrs: toHex(utf8(announcement.multiaddrs.join('\n'))),
    metadata: toHex(utf8(announcement.metadata)),
  }
}
