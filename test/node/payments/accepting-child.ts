/** A payee that accepts ever greater vouchers and says after each what it acknowledged. */
import { writeSync } from 'node:fs'
import type { Credit } from '@mainframe/protocol'
import { ChainDirectory } from '../../../node/src/chain/directory.ts'
import { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { CreditLedger } from '../../../node/src/payments/credit-ledger.ts'
import { openVoucherLog } from '../../../node/src/payments/voucher-log.ts'
import type { TestChain } from '../../helpers/chain.ts'
import {
  creditOf,
  DEPTH,
  domainOf,
  MAX_VIEW_AGE_SECONDS,
  type Payer,
  termsOf,
  UNIT,
} from './support.ts'

interface Task {
  chain: Pick<TestChain, 'rpcUrl' | 'deployment'>
  payee: Payer['account']
  payer: { account: Payer['account']; secretKey: number[] }
  path: string
}

process.once('message', (message) => void run(message as Task))

async function run({ chain, payee, payer, path }: Task): Promise<void> {
  const { deployment, rpcUrl } = chain
  const directory = new ChainDirectory({ deployment, account: payee })
  const rpc = new Rpc({ url: rpcUrl })
  const options = { rpc, deployment, directory, confirmations: DEPTH, pollMs: 1_000 }
  const follower = new ChainFollower(options)
  await follower.start()
  const vouchers = await openVoucherLog(path)
  const [domain, terms] = [domainOf(deployment), termsOf(deployment)]
  const viewAgeSeconds = () => follower.age.viewSeconds
  const view = { directory, viewAgeSeconds, maxViewAgeSeconds: MAX_VIEW_AGE_SECONDS }
  const ledger = new CreditLedger({ ...view, vouchers, payee, domain, terms })
  const signer = { account: payer.account, secretKey: Uint8Array.from(payer.secretKey) }
  const [stored] = vouchers.entries.values()
  for (let units = Number((stored?.amount ?? 0n) / UNIT) + 10; ; units += 10) {
    const credit: Credit = creditOf(chain as TestChain, signer, { payee, units })
    const { outcome, account } = await ledger.offer(credit, ledger)
    if (!account) throw new TypeError(`${units} units: ${outcome}`)
    account.spentUnits = account.durableUnits
    writeSync(1, `${account.durableUnits}\n`)
  }
}
