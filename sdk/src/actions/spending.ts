import type { Hex } from '@mainframe/protocol'
import type { ChannelSlot } from '../chain/chain.ts'
import type { ClientContext } from '../context.ts'
import type { DaySpending } from '../payments/budget.ts'
import { type ChannelRecord, readChannels, tokenOf } from '../payments/channel-records.ts'

/** Amounts in base units of one token. */
export interface ChannelTotals {
  /** Paid in. */
  depositBase: bigint
  /** Signed away: the most that relays can claim, what they have claimed among it. */
  signedBase: bigint
  /** Claimed by relays. */
  claimedBase: bigint
  /** Not signed away: what can be spent, and what comes back at a close. */
  remainingBase: bigint
}

/** One channel; amounts in base units of its token within its epoch, all zero when it is closed. */
export interface ChannelSpending extends ChannelTotals {
  channelId: Hex
  /** The relay that it pays. */
  nodeId: Hex
  payee: Hex
  /** ERC-20, or zero for the chain's coin. */
  token: Hex
  epoch: number
  state: 'open' | 'closing' | 'closed'
  /** Unix seconds from which the deposit can be taken back; 0 when no close was asked for. */
  closesAtSeconds: number
}

/** Where money went. */
export interface Spending {
  /** Every channel that this client has opened. */
  channels: ChannelSpending[]
  /** What was signed away today, in what the client pays with, and what still may be. */
  today: DaySpending
}

/** Throws `CHAIN_UNREACHABLE`. */
export async function spending(
  context: Pick<ClientContext, 'chain' | 'store' | 'channels'>,
): Promise<Spending> {
  const today = await context.channels.budget.today()
  return { channels: await channelSpending(context), today }
}

/** Every channel of this client, with the chain's figures. Throws `CHAIN_UNREACHABLE`. */
export async function channelSpending({
  chain,
  store,
}: Pick<ClientContext, 'chain' | 'store'>): Promise<ChannelSpending[]> {
  const records = await readChannels(store)
  const slots = await chain.slots(records.map(({ channelId }) => channelId))
  return records.map((record, i) => ({
    ...spendingOf(record, slots[i] ?? EMPTY),
    token: tokenOf(record, chain.deployment),
  }))
}

/** The sums over some channels of one token. */
export function totalsOf(rows: readonly ChannelTotals[]): ChannelTotals {
  const sum = (name: keyof ChannelTotals) => rows.reduce((total, row) => total + row[name], 0n)
  return {
    depositBase: sum('depositBase'),
    signedBase: sum('signedBase'),
    claimedBase: sum('claimedBase'),
    remainingBase: sum('remainingBase'),
  }
}

const EMPTY: ChannelSlot = { deposit: 0n, claimed: 0n, closesAt: 0, epoch: 0 }

function spendingOf(
  { channelId, nodeId, payee, epoch, signedBase }: ChannelRecord,
  { deposit, claimed, closesAt, epoch: current }: ChannelSlot,
): Omit<ChannelSpending, 'token'> {
  const isOpen = deposit > 0n
  // what was signed in an earlier epoch is void; what was claimed was signed, whatever the store says
  const known = isOpen && current === epoch ? signedBase : 0n
  const signed = known > claimed ? known : claimed
  return {
    channelId,
    nodeId,
    payee,
    epoch: isOpen ? current : epoch,
    depositBase: deposit,
    signedBase: signed,
    claimedBase: claimed,
    remainingBase: deposit > signed ? deposit - signed : 0n,
    state: isOpen ? (closesAt === 0 ? 'open' : 'closing') : 'closed',
    closesAtSeconds: closesAt,
  }
}
