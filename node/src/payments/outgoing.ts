/** This relay's own outgoing channels, as the chain has them. */
import type { ChannelRow, Deployment, Hex } from '@mainframe/protocol'
import { callView, channelsContract } from '../chain/contracts.ts'
import type { Directory } from '../chain/directory.ts'
import type { Rpc } from '../chain/rpc.ts'

/** The storage slot of a channel; a deposit of zero means that it is not open. */
export interface ChannelSlot {
  deposit: bigint
  claimed: bigint
  /** Unix seconds from which the payer may finalize; 0 when no close was requested. */
  closesAt: number
  epoch: number
}

/** Slots that one call reads. */
const MAX_SLOTS = 500

/** Channels that the account pays and signs for, in MFT, as confirmed; closed ones left out. */
export function* outgoingChannels(
  { channels }: Pick<Directory, 'channels'>,
  { token }: Deployment,
  account: Hex,
): Generator<ChannelRow> {
  const mft = token.toLowerCase()
  for (const row of channels.values()) {
    const isOurs = row.payer === account && row.signer === account && row.token === mft
    if (isOurs && row.state !== 'closed') yield row
  }
}

/** The slots of channels in the newest block, in their order. Errors as `callView`. */
export async function readSlots(
  rpc: Rpc,
  { channels: to }: Deployment,
  ids: readonly Hex[],
): Promise<ChannelSlot[]> {
  const slots: ChannelSlot[] = []
  for (let i = 0; i < ids.length; i += MAX_SLOTS) {
    const args = [ids.slice(i, i + MAX_SLOTS)]
    const [part] = await callView(rpc, { to, contract: channelsContract, method: 'slots', args })
    for (const { deposit, claimed, closesAt, epoch } of part) {
      slots.push({ deposit, claimed, closesAt: Number(closesAt), epoch: Number(epoch) })
    }
  }
  return slots
}
