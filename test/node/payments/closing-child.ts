/** A payer that closes its idle channels, to be killed at any moment. */
import { join } from 'node:path'
import type { Hex } from '@mainframe/protocol'
import { ChainDirectory } from '../../../node/src/chain/directory.ts'
import { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { Closings } from '../../../node/src/payments/closings.ts'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { POLL_MS, senderOf } from '../chain-support.ts'
import { DEPTH, domainOf } from './support.ts'

export interface ClosingTask {
  chain: Pick<TestChain, 'rpcUrl' | 'deployment'>
  account: Hex
  secretKey: number[]
  folder: string
}

process.once('message', (message) => void run(message as ClosingTask))

async function run({ chain, account, secretKey, folder }: ClosingTask): Promise<void> {
  const { deployment, rpcUrl } = chain
  const directory = new ChainDirectory({ deployment, account })
  const rpc = new Rpc({ url: rpcUrl })
  const timing = { confirmations: DEPTH, epochSeconds: 86_400, pollMs: POLL_MS }
  const options = { rpc, deployment, directory, ...timing }
  await new ChainFollower(options).start()
  const hotSecret = Uint8Array.from(secretKey)
  new Closings({
    rpc,
    deployment,
    domain: domainOf(deployment),
    directory,
    sender: senderOf(chain, hotSecret),
    hotSecret,
    signed: await openSignedLog(join(folder, 'signed.log')),
    idleMs: 1,
    checkMs: 5,
    inUse: () => [],
    ask: () => Promise.reject(new Error('nobody can be reached')),
  }).start()
  process.send?.('running')
}
