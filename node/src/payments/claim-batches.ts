/** Claims of many vouchers in one transaction, for whichever payee (contracts/). */
import { type Deployment, type Hex, type RawLog, toHex } from '@mainframe/protocol'
import { channelsContract, fetchSlots } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'
import type { StoredVoucher } from './voucher-log.ts'

/** A voucher with the token of its channel, in lower case. */
export interface Candidate<V extends StoredVoucher = StoredVoucher> {
  voucher: V
  token: Hex
}

/** A voucher that would pay now, and what its channel has paid in this epoch, base units. */
export interface Claimable<V extends StoredVoucher = StoredVoucher> extends Candidate<V> {
  claimedBase: bigint
}

/** What one transaction claimed. */
export interface ClaimedBatch {
  token: Hex
  txHash: Hex
  /** Channels that paid. */
  rows: number
  paidBase: bigint
  gasUsed: bigint
}

/** Rows of one transaction: about 3 million gas, and 32 kB of calldata. */
export const MAX_CLAIM_ROWS = 200
/**
 * Gas of a claim: a fifth more than the dearest claim takes (bench/gas.json). By formula, since a claim
 * must not wait for a node that estimates wrongly or not at all.
 */
const CLAIM_GAS = 80_000n
const CLAIM_ROW_GAS = 16_000n

/** What a claim of so many rows may use. */
export function claimGas(rows: number): bigint {
  return CLAIM_GAS + CLAIM_ROW_GAS * BigInt(rows)
}

/** The most rows that so much gas is enough for. */
export function rowsFor(gas: bigint): number {
  const rows = (gas - CLAIM_GAS) / CLAIM_ROW_GAS
  return rows > 0n ? Math.min(Number(rows), MAX_CLAIM_ROWS) : 0
}

/**
 * Those of the vouchers that would pay, by the newest block: a confirmed view lags behind, and does not
 * know of our own last claim yet. Errors as `callView`.
 */
export async function findClaimable<V extends StoredVoucher>(
  rpc: Rpc,
  deployment: Deployment,
  candidates: readonly Candidate<V>[],
): Promise<Claimable<V>[]> {
  const slots = await fetchSlots(
    rpc,
    deployment.channels,
    candidates.map(({ voucher }) => voucher.channelId),
  )
  return candidates.flatMap(({ voucher, token }, i) => {
    const { deposit = 0n, claimed = 0n, epoch = 0 } = slots[i] ?? {}
    const due = voucher.amount < deposit ? voucher.amount : deposit
    const isOpen = deposit > 0n && epoch === voucher.epoch
    return isOpen && due > claimed ? [{ voucher, token, claimedBase: claimed }] : []
  })
}

/**
 * Claims up to {@link MAX_CLAIM_ROWS} vouchers of one payee, token and notice into the payee's vault; whoever
 * sends it gets nothing. Errors as `TransactionSender.send`.
 */
export async function claimBatch(
  batch: readonly Claimable[],
  { sender, deployment, payee }: { sender: TransactionSender; deployment: Deployment; payee: Hex },
): Promise<ClaimedBatch> {
  const rows = batch.map(({ voucher }) => ({
    payer: voucher.payer,
    signer: voucher.signer,
    amount: voucher.amount,
    r: toHex(voucher.signature.subarray(0, 32)),
    vs: toHex(voucher.signature.subarray(32)),
  }))
  const { token = deployment.token, voucher } = batch[0] ?? {}
  const args = [payee, token, voucher?.noticeSeconds, rows]
  const data = channelsContract.encodeFunctionData('claim', args) as Hex
  const gasLimit = claimGas(rows.length)
  const receipt = await sender.send({ to: deployment.channels, data, what: 'claim', gasLimit })
  const before = new Map(batch.map((row) => [row.voucher.channelId, row.claimedBase]))
  const paid = receipt.logs.map((log) => paidBy(log, before)).filter((base) => base > 0n)
  const paidBase = paid.reduce((sum, base) => sum + base, 0n)
  const { transactionHash: txHash, gasUsed } = receipt
  return { token, txHash, rows: paid.length, paidBase, gasUsed }
}

function paidBy({ topics, data }: RawLog, before: ReadonlyMap<Hex, bigint>): bigint {
  const event = channelsContract.parseLog({ topics, data })
  const claimedBefore = before.get(String(event?.args['id']).toLowerCase() as Hex)
  if (event?.name !== 'Claimed' || claimedBefore === undefined) return 0n
  return (event.args['claimed'] as bigint) - claimedBefore
}
