/** What being paid costs a relay: judging vouchers, keeping them, and a look at credit per packet. */
import { measureCredit } from './payments/credit.ts'
import { type LogFigures, measureLog } from './payments/log.ts'
import { measureTraffic, type TrafficFigures, type TrafficSize } from './payments/traffic.ts'
import { measureVerify, type VerifyFigures } from './payments/verify.ts'
import { rounded } from './world/statistics.ts'

export interface PaymentFigures extends VerifyFigures, LogFigures, TrafficFigures {
  /** The rule's comparison and addition for one packet. */
  creditNsPerPacket: number
  /** `packetsPerSecondPaid` / `packetsPerSecondFree`. */
  paidRatio: number
}

/** How long each part is measured. */
export interface PaymentsSize {
  verifyRounds: number
  creditRounds: number
  vouchersOfEachPayer: number
  traffic: TrafficSize
}

/** A few minutes on a machine that does nothing else. */
export const PAYMENTS_SIZE: PaymentsSize = {
  verifyRounds: 800,
  creditRounds: 100,
  vouchersOfEachPayer: 400,
  traffic: { rounds: 24, packetsOfRound: 10_000 },
}

export async function benchPayments(
  size: PaymentsSize,
  tell: (progress: string) => void,
): Promise<PaymentFigures> {
  tell('vouchers: judged, beside the bare library')
  const verify = await measureVerify(size.verifyRounds)
  tell('packets: compared and added')
  const creditNsPerPacket = await measureCredit(size.creditRounds)
  tell('vouchers: durable')
  const log = await measureLog(size.vouchersOfEachPayer)
  const traffic = await measureTraffic(size.traffic, tell)
  return {
    ...verify,
    creditNsPerPacket: rounded(creditNsPerPacket, 1),
    durableVouchersPerSecond: Math.round(log.durableVouchersPerSecond),
    commitP99Ms: rounded(log.commitP99Ms, 1),
    packetsPerSecondPaid: Math.round(traffic.packetsPerSecondPaid),
    packetsPerSecondFree: Math.round(traffic.packetsPerSecondFree),
    paidRatio: rounded(traffic.packetsPerSecondPaid / traffic.packetsPerSecondFree, 3),
    paidCpuRatio: rounded(traffic.paidCpuRatio, 3),
  }
}
