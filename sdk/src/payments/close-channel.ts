/** The payer's way out of a channel: ask, wait for the notice, take the rest (contracts/). */
import { type Hex, MainframeError } from '@mainframe/protocol'
import { contractInterfaces } from '../chain/chain.ts'
import type { ChannelRecord } from './channel-records.ts'
import type { ChannelContext } from './channels.ts'

/** `closing`: call again after `closesAtSeconds` (Unix); `closed`: the rest is in the wallet. */
export type CloseOutcome =
  | { channelId: Hex; state: 'closing'; closesAtSeconds: number }
  | { channelId: Hex; state: 'closed' }

/** One step of closing; nothing to do for a channel that is not open. */
export async function advanceClose(
  { chain, account }: Pick<ChannelContext, 'chain' | 'account'>,
  { channelId, payee, token: ofRecord, signer, noticeSeconds }: ChannelRecord,
): Promise<CloseOutcome> {
  const { token: mft, channels: to } = chain.deployment
  const { channels } = contractInterfaces
  const token = ofRecord ?? mft
  const terms = { payee, token, signer, notice: noticeSeconds }
  const slotOf = async () => {
    const [slot] = await chain.slots([channelId])
    if (slot) return slot
    throw new MainframeError('CHAIN_MISMATCH', 'The chain answers no channel')
  }
  const slot = await slotOf()
  if (slot.deposit === 0n) return { channelId, state: 'closed' }
  if (slot.closesAt === 0) {
    const data = channels.encodeFunctionData('requestClose', [terms])
    await account.send({ to, data, what: 'the wish to close a channel' })
    const { closesAt } = await slotOf()
    return { channelId, state: 'closing', closesAtSeconds: closesAt }
  }
  const { time } = await chain.latest()
  if (time < slot.closesAt) return { channelId, state: 'closing', closesAtSeconds: slot.closesAt }
  const data = channels.encodeFunctionData('finalizeTo', [terms, account.address])
  await account.send({ to, data, what: 'the end of a channel' })
  return { channelId, state: 'closed' }
}
