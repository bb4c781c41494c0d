import { type Account, type Contracts, ethers, parameters } from './chain.ts'
import type { RecordInput } from './continuity.ts'

/** A node key, seal key or service as 32 bytes, from a word that names it. */
export const key = (name: string): string => ethers.id(name)

/** 64 bytes that stand for an Ed25519 signature, which the chain does not check. */
export const signature = ethers.concat([key('r'), key('s')])

/** A record of a usual size. */
export function recordOf(manager: Account, payee: Account): RecordInput {
  return {
    manager: manager.address,
    payee: payee.address,
    sealKey: key('seal'),
    multiaddrs: ethers.hexlify(
      ethers.toUtf8Bytes('/ip4/127.0.0.1/tcp/4001\n/dns4/a.example/tcp/1'),
    ),
    metadata: ethers.hexlify(ethers.toUtf8Bytes('{"name":"first"}')),
  }
}

/** Alice as operator, Bob as manager, Carol as payee: one registered node with the minimum stake. */
export async function registerNode(
  { token, registry, alice, bob, carol }: Contracts,
  nodeKey = key('node'),
) {
  const record = recordOf(bob, carol)
  await token.connect(alice).approve(registry, ethers.MaxUint256)
  await registry.connect(alice).register(nodeKey, record, parameters.minimumStake, signature)
  const nodeId = await registry.nodeIdOf(alice.address, nodeKey)
  return { nodeId, nodeKey, record }
}
