/** Which vouchers the chain would pay now. */
import type { Deployment, Hex } from '@mainframe/protocol'
import { callView, channelsContract } from '../chain/contracts.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { StoredVoucher } from './voucher-log.ts'

/** A voucher that pays, with what its channel had paid before. */
export interface Claimable {
  voucher: StoredVoucher
  /** Of its channel. */
  token: Hex
  /** Base units. */
  claimedBase: bigint
}

interface Slot {
  deposit: bigint
  claimed: bigint
  epoch: bigint
}

/** Channels whose state one call reads. */
const MAX_SLOTS = 500

/** Those of the candidates that would pay, by the latest state of the chain. Errors as `callView`. */
export async function readClaimable(
  rpc: Rpc,
  deployment: Deployment,
  candidates: readonly Omit<Claimable, 'claimedBase'>[],
): Promise<Claimable[]> {
  const claimable: Claimable[] = []
  for (let i = 0; i < candidates.length; i += MAX_SLOTS) {
    const part = candidates.slice(i, i + MAX_SLOTS)
    const [slots] = await callView(rpc, {
      to: deployment.channels,
      contract: channelsContract,
      method: 'slots',
      args: [part.map(({ voucher }) => voucher.channelId)],
    })
    part.forEach(({ voucher, token }, j) => {
      const { deposit, claimed, epoch } = slots[j] as Slot
      const due = voucher.amount < deposit ? voucher.amount : deposit
      const isOpen = deposit > 0n && Number(epoch) === voucher.epoch
      if (isOpen && due > claimed) claimable.push({ voucher, token, claimedBase: claimed })
    })
  }
  return claimable
}
