import type { Hex } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { type ChannelRecord, readChannels } from '../payments/channel-records.ts'

/** One channel; amounts in base units of its token within its epoch. */
export interface ChannelSpending {
  channelId: Hex
  /** The relay that it pays. */
  nodeId: Hex
  payee: Hex
  /** ERC-20, or zero for the chain's coin. */
  token: Hex
  epoch: number
  depositBase: bigint
  /** Signed away: the most that the relay can claim. */
  signedBase: bigint
  claimedBase: bigint
  /** What comes back at a close. */
  remainingBase: bigint
  state: 'open' | 'closing' | 'closed'
  /** Unix seconds from which the deposit can be taken back; 0 when no close was asked for. */
  closesAtSeconds: number
}

/** Every channel of this client, with the chain's figures. Throws `CHAIN_UNREACHABLE`. */
export async function spending({ chain, store }: ClientContext): Promise<ChannelSpending[]> {
  const records = await readChannels(store)
  const slots = await chain.slots(records.map(({ channelId }) => channelId))
  const mft = chain.deployment.token
  return records.map((record, i) => ({
    ...spendingOf(record, slots[i] ?? EMPTY),
    token: record.token ?? mft,
  }))
}

const EMPTY = { deposit: 0n, claimed: 0n, closesAt: 0, epoch: 0 }

function spendingOf(
  { channelId, nodeId, payee, epoch, signedBase }: ChannelRecord,
  { deposit, claimed, closesAt, epoch: current }: typeof EMPTY,
): Omit<ChannelSpending, 'token'> {
  const state = deposit === 0n ? 'closed' : closesAt === 0 ? 'open' : 'closing'
  // what was signed in an earlier epoch is void
  const signed = deposit > 0n && current === epoch ? signedBase : 0n
  return {
    channelId,
    nodeId,
    payee,
    epoch,
    depositBase: deposit,
    signedBase: signed,
    claimedBase: claimed,
    remainingBase: deposit > signed ? deposit - signed : 0n,
    state,
    closesAtSeconds: closesAt,
  }
}
