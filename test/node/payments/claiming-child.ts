/** A payee that claims whatever it has, for ever, and is killed meanwhile. */
import { join } from 'node:path'
import type { Hex } from '@mainframe/protocol'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { Claims } from '../../../node/src/payments/claims.ts'
import { openVoucherLog } from '../../../node/src/payments/voucher-log.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { follow, senderOf } from '../chain-support.ts'
import { DEPTH } from './support.ts'

interface Task {
  chain: Pick<TestChain, 'rpcUrl' | 'deployment'>
  payee: { account: Hex; secretKey: number[]; folder: string }
}

process.once('message', (message) => void run(message as Task))

async function run({ chain, payee }: Task): Promise<void> {
  const { deployment, rpcUrl } = chain
  const { directory, follower } = follow(chain, payee.account, { confirmations: DEPTH })
  await follower.start()
  const vouchers = await openVoucherLog(join(payee.folder, 'vouchers.log'))
  const sender = senderOf(chain, Uint8Array.from(payee.secretKey))
  const limits = { thresholdOf: () => 1n, maxAgeMs: 10 ** 9, checkMs: 5 }
  const rpc = new Rpc({ url: rpcUrl })
  new Claims({ rpc, deployment, directory, sender, vouchers, ...limits }).start()
}
