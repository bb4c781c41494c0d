/** How the ledger of a relay is put together with what it is told by. */
import { formatMft, type Hex, toHex } from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { Closers } from '../closers.ts'
import type { RelayConfig } from '../config.ts'
import type { Logger } from '../log.ts'
import type { RelayKeys } from '../operator/keys.ts'
import type { CreditLedger } from '../payments/credit-ledger.ts'
import type { SignedLog } from '../payments/signed-log.ts'
import type { VoucherLog } from '../payments/voucher-log.ts'
import { Accounts } from './accounts.ts'
import { readCash } from './cash.ts'
import type { ChargeMeter } from './charges.ts'
import type { GasMeter } from './gas-meter.ts'
import type { Journal } from './journal.ts'
import { ledgerMedia } from './media.ts'

interface Base {
  config: RelayConfig
  keys: RelayKeys
  log: Logger
  closers: Closers
}

interface Logs {
  journal: Journal
  vouchers: VoucherLog
  signed: SignedLog
}

interface Wires {
  rpc: Rpc
  directory: Directory
  ledger: CreditLedger
  charges: ChargeMeter
  gas: GasMeter
  onFailure(error: unknown): void
}

/** The relay must be listed. Closed after all that is paid and pays, and before the logs. */
export function createAccounts(
  { config, keys, log, closers }: Base,
  { journal, vouchers, signed }: Logs,
  wires: Wires,
): Accounts {
  const { rpc, directory } = wires
  const { deployment } = config
  const [account, token] = [keys.hotAccount, deployment.token.toLowerCase() as Hex]
  const nodeId = directory.byPeerKey(toHex(keys.nodeKey))?.row.nodeId
  const media = ledgerMedia(config)
  const query = { rpc, deployment, account, nodeId, media }
  const accounts = new Accounts({
    ...wires,
    journal,
    vouchers: vouchers.entries,
    signed: signed.entries,
    cashAt: (block) => readCash({ ...query, block }),
    account,
    token,
    media,
    onUnattributed: (base, medium) => {
      const amount =
        medium === token ? { mft: formatMft(base) } : { token: medium, base: `${base}` }
      log.warn(amount, 'Entered as unattributed what the ledger did not know of')
    },
  })
  closers.add('accounts', () => accounts.stop())
  return accounts
}
