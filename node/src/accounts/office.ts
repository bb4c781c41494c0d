/** What an operator asks about the money, of a running relay or of the data folder of one that is stopped. */
import { join } from 'node:path'
import { MainframeError, toHex } from '@mainframe/protocol'
import { Rpc } from '../chain/rpc.ts'
import type { RelayConfig } from '../config.ts'
import { loadKeys, type RelayKeys } from '../operator/keys.ts'
import { lockFolder } from '../storage/lock.ts'
import { LEDGER_FOLDER } from '../storage/names.ts'
import type { Accounts } from './accounts.ts'
import { type AuditQuery, type AuditReport, audit } from './audit.ts'
import { type EarningsQuery, type EarningsReport, readEarnings } from './earnings.ts'
import { ledgerMedia } from './media.ts'

export interface Office {
  /** Errors as {@link readEarnings}. */
  earnings(days: EarningsQuery): Promise<EarningsReport>
  /** Errors as {@link audit}. */
  audit(): Promise<AuditReport>
}

interface Base {
  config: RelayConfig
  keys: RelayKeys
  rpc: Rpc
}

/** The office of a running relay: its ledger is brought up to date before it is looked at. */
export function createOffice(accounts: Accounts, base: Base): Office {
  return {
    earnings: async (days) => {
      await accounts.flush()
      return await savedEarnings(base.config.dataFolder, days)
    },
    audit: () =>
      accounts.flushAnd(async (moment) => {
        if (moment.hasCash) return await audit(auditQuery(base), moment)
        const message =
          'The chain does not tell wallet and vault now: check its node, and try again'
        throw new MainframeError('CHAIN_UNREACHABLE', message, { retryable: true })
      }),
  }
}

/**
 * As of the last entry in a folder, whether or not a relay runs there. Throws `CONFIG_INVALID` where
 * none ever has; errors as {@link readEarnings}.
 */
export async function savedEarnings(
  dataFolder: string,
  days: EarningsQuery,
): Promise<EarningsReport> {
  return await readEarnings(join(dataFolder, LEDGER_FOLDER), days)
}

/** Audits the folder of a relay that does not run. Throws `STORE_LOCKED` if one does; errors as {@link audit}. */
export async function auditFolder(config: RelayConfig): Promise<AuditReport> {
  const { dataFolder, rpcUrl: url } = config
  const keys = await loadKeys(dataFolder)
  const lock = await lockFolder(dataFolder)
  try {
    return await audit(auditQuery({ config, keys, rpc: new Rpc({ url }) }))
  } finally {
    lock.release()
  }
}

function auditQuery({ config, keys, rpc }: Base): AuditQuery {
  const { dataFolder, deployment, confirmations, epochSeconds, pollIntervalMs: pollMs } = config
  const who = { account: keys.hotAccount, nodeKey: toHex(keys.nodeKey), media: ledgerMedia(config) }
  return { rpc, deployment, dataFolder, confirmations, epochSeconds, pollMs, ...who }
}
