/** The payer's ways out of a channel: with the relay's consent at once, or after the notice (contracts/). */
import {
  domainSeparator,
  type EndingChannel,
  fromHex,
  type Hex,
  isReleased,
  MainframeError,
  type ReleaseAnswer,
  toHex,
} from '@mainframe/protocol'
import { type ChannelSlot, contractInterfaces } from '../chain/chain.ts'
import { type ChannelRecord, tokenOf } from './channel-records.ts'
import type { ChannelContext } from './channels.ts'
import { domainOf } from './quote-check.ts'

/**
 * `closing`: call again after `closesAtSeconds` (Unix); `closed`: the rest is the payer's again, in the
 * wallet or, when the relay let it go, in the vault until a later call takes it out.
 */
export type CloseOutcome =
  | { channelId: Hex; state: 'closing'; closesAtSeconds: number }
  | { channelId: Hex; state: 'closed' }

/** Asks the relay for its consent; `undefined` when it cannot be had. Never rejects. */
export type Ask = (channel: EndingChannel) => Promise<ReleaseAnswer | undefined>

type CloseContext = Pick<ChannelContext, 'chain' | 'account'>

/**
 * One step of closing; nothing to do for a channel that is not open. Throws `CHAIN_REJECTED`,
 * `CHAIN_UNREACHABLE` or `PAYMENT_INSUFFICIENT` (coin for gas).
 */
export async function advanceClose(
  ctx: CloseContext,
  record: ChannelRecord,
  ask: Ask,
): Promise<CloseOutcome> {
  const { channelId } = record
  const slot = await slotOf(ctx, channelId)
  if (slot.deposit === 0n) return { channelId, state: 'closed' }
  const { time } = await ctx.chain.latest()
  if (slot.closesAt !== 0 && time >= slot.closesAt) {
    await send(ctx, 'finalizeTo', [termsOf(ctx, record), ctx.account.address])
    return { channelId, state: 'closed' }
  }
  if (await closeAtOnce(ctx, { record, slot, ask })) return { channelId, state: 'closed' }
  if (slot.closesAt !== 0) return { channelId, state: 'closing', closesAtSeconds: slot.closesAt }
  await send(ctx, 'requestClose', [termsOf(ctx, record)])
  const { closesAt } = await slotOf(ctx, channelId)
  return { channelId, state: 'closing', closesAtSeconds: closesAt }
}

/** Takes what refunds of these tokens have left in the account's vault into its wallet. */
export async function emptyVaults(ctx: CloseContext, tokens: readonly Hex[]): Promise<void> {
  const { chain, account } = ctx
  const vaults = await chain.vaults(tokens, account.address)
  for (const [i, token] of tokens.entries()) {
    const vault = vaults[i] ?? 0n
    if (vault > 0n) await send(ctx, 'withdraw', [token, account.address, vault])
  }
}

async function closeAtOnce(
  ctx: CloseContext,
  { record, slot, ask }: { record: ChannelRecord; slot: ChannelSlot; ask: Ask },
): Promise<boolean> {
  const channel = endingChannel(ctx, record, slot)
  const answer = await ask(channel)
  if (!answer || !isReleased(answer, channel)) return false
  const { finalAmount, signature } = answer
  const [r, vs] = [toHex(signature.subarray(0, 32)), toHex(signature.subarray(32))]
  await send(ctx, 'closeWithRelease', [termsOf(ctx, record), finalAmount, r, vs])
  return true
}

/** What was claimed was signed, whatever the store says. */
function endingChannel(
  { chain, account }: CloseContext,
  record: ChannelRecord,
  slot: ChannelSlot,
): EndingChannel {
  const { payee, signer, noticeSeconds, epoch, signedBase } = record
  const known = epoch === slot.epoch ? signedBase : 0n
  return {
    terms: {
      payer: fromHex(account.address),
      payee: fromHex(payee),
      token: fromHex(tokenOf(record, chain.deployment)),
      signer: fromHex(signer),
      noticeSeconds,
    },
    epoch: slot.epoch,
    signedBase: known > slot.claimed ? known : slot.claimed,
    domainSeparator: domainSeparator(domainOf(chain.deployment)),
  }
}

const WHAT = {
  requestClose: 'the wish to close a channel',
  finalizeTo: 'the end of a channel',
  closeWithRelease: 'the end of a channel by consent',
  withdraw: 'a withdrawal from the vault',
} as const

async function send(
  { chain, account }: CloseContext,
  method: keyof typeof WHAT,
  args: readonly unknown[],
): Promise<void> {
  const data = contractInterfaces.channels.encodeFunctionData(method, args)
  await account.send({ to: chain.deployment.channels, data, what: WHAT[method] })
}

function termsOf({ chain }: CloseContext, record: ChannelRecord) {
  const { payee, signer, noticeSeconds: notice } = record
  return { payee, token: tokenOf(record, chain.deployment), signer, notice }
}

async function slotOf({ chain }: CloseContext, channelId: Hex): Promise<ChannelSlot> {
  const [slot] = await chain.slots([channelId])
  if (slot) return slot
  throw new MainframeError('CHAIN_MISMATCH', 'The chain answers no channel')
}
