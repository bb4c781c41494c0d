/** A relay with one payer, whose vouchers and ledger are on disk; the chain is a table. */
import { join } from 'node:path'
import { BASE_PER_UNIT, type ChannelRow, type Hex } from '@mainframe/protocol'
import { Accounts, type AccountsOptions } from '../../../node/src/accounts/accounts.ts'
import { ChargeMeter } from '../../../node/src/accounts/charges.ts'
import { COIN } from '../../../node/src/accounts/chart.ts'
import { GasMeter } from '../../../node/src/accounts/gas-meter.ts'
import { Journal } from '../../../node/src/accounts/journal.ts'
import type { ChannelAccount } from '../../../node/src/payments/credit-ledger.ts'
import { openVoucherLog } from '../../../node/src/payments/voucher-log.ts'

const SELF: Hex = `0x${'ee'.repeat(20)}`
export const TOKEN: Hex = `0x${'aa'.repeat(20)}`
export const PAYER: Hex = `0x${'11'.repeat(20)}`
export const CHANNEL: Hex = `0x${'cc'.repeat(32)}`
const NOTICE_SECONDS = 3_600

/** What every packet here is charged for, in units: a hundred together. */
export const PACKET = { route: 10, hold: 20, onward: 65, surplus: 5 }
const PACKET_UNITS = 100

const ROW: ChannelRow = {
  channelId: CHANNEL,
  payer: PAYER,
  payee: SELF,
  token: TOKEN,
  signer: PAYER,
  noticeSeconds: NOTICE_SECONDS,
  epoch: 1,
  deposit: 10n ** 27n,
  claimed: 0n,
  closesAt: 0,
  state: 'open',
  updatedBlock: 1,
}

/** Opens what is on disk; the same folder again makes a restarted relay. */
export async function openRelay(folder: string, options: Partial<AccountsOptions> = {}) {
  const vouchers = await openVoucherLog(join(folder, 'vouchers.log'))
  const journal = await Journal.open(join(folder, 'accounts'))
  const channels = new Map([[CHANNEL, ROW]])
  const directory = { channels, earlierClaims: new Map<Hex, bigint>(), confirmedBlock: 5 }
  const charges = new ChargeMeter()
  const promised = () => vouchers.entries.get(CHANNEL)?.amount ?? 0n
  const units = Number(promised() / BASE_PER_UNIT)
  const credit: ChannelAccount = {
    channelId: CHANNEL,
    spentUnits: units,
    durableUnits: units,
    charges: charges.chargesOf(CHANNEL, 1),
    boundTo: undefined,
  }
  const cash = {
    media: [TOKEN, COIN].map((medium) => ({ medium, walletBase: 7n, vaultBase: 0n })),
    stakeBase: 3n,
  }
  const accounts = new Accounts({
    journal,
    directory,
    vouchers: vouchers.entries,
    signed: new Map(),
    media: [TOKEN],
    ledger: {
      creditOf: (id) => (id === CHANNEL ? credit : undefined),
      rateOf: () => BASE_PER_UNIT,
    },
    charges,
    gas: new GasMeter(),
    cashAt: async () => cash,
    account: SELF,
    token: TOKEN,
    onFailure: (error) => {
      throw error
    },
    ...options,
  })
  return {
    accounts,
    book: journal.book,
    journal,
    promised,
    directory,
    /** Makes a voucher for that many packets more durable. */
    async promise(packets: number): Promise<void> {
      const amount = promised() + BigInt(packets * PACKET_UNITS) * BASE_PER_UNIT
      const rest = { signature: new Uint8Array(64), signer: PAYER, noticeSeconds: NOTICE_SECONDS }
      await vouchers.put({ channelId: CHANNEL, epoch: 1, amount, payer: PAYER, ...rest })
      credit.durableUnits = Number(amount / BASE_PER_UNIT)
    },
    /** Treats one packet, as the routing rule would. */
    serve(): void {
      const { charges: counted } = credit
      if (!counted) return
      for (const service of ['route', 'hold', 'onward', 'surplus'] as const) {
        counted[service] += PACKET[service]
      }
      credit.spentUnits += PACKET_UNITS
    },
    /** Lets go of the files, as a kill would, and what is in memory with it. */
    async abandon(): Promise<void> {
      await journal.close()
      await vouchers.close()
    },
  }
}
