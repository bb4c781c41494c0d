/** How many vouchers become durable in a second, in the very log of the relay, on a real disk. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BASE_PER_UNIT, type Hex, toHex } from '@mainframe/protocol'
import {
  openVoucherLog,
  type StoredVoucher,
  type VoucherLog,
} from '../../node/src/payments/voucher-log.ts'
import { quantile } from '../world/statistics.ts'

export interface LogFigures {
  durableVouchersPerSecond: number
  /** From the moment that a voucher is handed over until it is on disk. */
  commitP99Ms: number
}

/** Payers of a busy relay; each has one voucher under way at a time, as links do. */
const PAYERS = 256
const SIGNATURE = Uint8Array.from(randomBytes(64))

/** Each payer hands over so many vouchers, the next one when the last is durable. */
export async function measureLog(vouchersOfEach: number): Promise<LogFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-bench-'))
  try {
    const log = await openVoucherLog(join(folder, 'vouchers.log'))
    const latenciesMs: number[] = []
    const start = performance.now()
    const payers = Array.from({ length: PAYERS }, () => toHex(randomBytes(32)))
    await Promise.all(payers.map((id) => putInTurn(log, { id, vouchersOfEach, latenciesMs })))
    const seconds = (performance.now() - start) / 1_000
    await log.close()
    return {
      durableVouchersPerSecond: latenciesMs.length / seconds,
      commitP99Ms: quantile(latenciesMs, 0.99),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function putInTurn(
  log: VoucherLog,
  { id, vouchersOfEach, latenciesMs }: { id: Hex; vouchersOfEach: number; latenciesMs: number[] },
): Promise<void> {
  for (let i = 1; i <= vouchersOfEach; i++) {
    const start = performance.now()
    await log.put(voucher(id, BigInt(i) * BASE_PER_UNIT))
    latenciesMs.push(performance.now() - start)
  }
}

function voucher(channelId: Hex, amount: bigint): StoredVoucher {
  const account = channelId.slice(0, 42) as Hex
  const terms = { payer: account, signer: account, noticeSeconds: 86_400 }
  return { channelId, epoch: 1, amount, signature: SIGNATURE, ...terms }
}
