/** How fast a relay judges vouchers, beside the bare native library that does the curve's work. */
import secp256k1 from 'secp256k1'
import { takeTurns, timed } from '../world/rounds.ts'
import { BenchPayee, type SignedCredit } from './payers.ts'

export interface VerifyFigures {
  /** Vouchers that `CreditLedger.offer` accepts in a second of one core: everything but the disk. */
  verifyPerSecond: number
  /** The same signatures by the library's `ecdsaRecover` alone: the curve's part of what the contract does. */
  bareVerifyPerSecond: number
  /** By its `ecdsaVerify`, which tells nothing about the recovery bit. */
  bareEcdsaVerifyPerSecond: number
}

/** Vouchers of one round, each of another payer: a few milliseconds. */
const PAYERS = 32
const WARM_UP = 50

export async function measureVerify(rounds: number): Promise<VerifyFigures> {
  const payee = new BenchPayee()
  const batches = payee.sign(PAYERS, WARM_UP + rounds)
  const batchOf = (round: number) => batches[round] ?? []
  const measured = await takeTurns(
    { rounds, warmUp: WARM_UP },
    {
      relay: timed((round) => offerAll(payee, batchOf(round))),
      recover: timed((round) => batchOf(round).forEach(recoverBare)),
      verify: timed((round) => batchOf(round).forEach(verifyBare)),
    },
  )
  const perSecond = (ms: number) => Math.round((measured.rounds * PAYERS * 1_000) / ms)
  return {
    verifyPerSecond: perSecond(measured.ms.relay),
    bareVerifyPerSecond: perSecond(measured.ms.recover),
    bareEcdsaVerifyPerSecond: perSecond(measured.ms.verify),
  }
}

/** One voucher of every payer at once, as the links of a busy relay offer them. */
async function offerAll({ ledger }: BenchPayee, batch: readonly SignedCredit[]): Promise<void> {
  const offers = await Promise.all(batch.map(({ credit, link }) => ledger.offer(credit, link)))
  const refused = offers.find(({ outcome }) => outcome !== 'accepted')
  if (refused) throw new Error(`A good voucher was refused: ${refused.outcome}`)
}

function recoverBare({ digest, signature, recovery }: SignedCredit): void {
  secp256k1.ecdsaRecover(signature, recovery, digest, false)
}

function verifyBare({ digest, signature, publicKey }: SignedCredit): void {
  if (!secp256k1.ecdsaVerify(signature, digest, publicKey)) throw new Error('It was signed')
}
