/** Payment channels of this client: found again, opened, topped up, closed. */
import {
  type ChannelTerms,
  channelId,
  countableUnits,
  domainSeparator,
  fromHex,
  type Hex,
  MainframeError,
  type PayerChannel,
  type Quote,
  secretKeyAccount,
  toHex,
  unitsToBase,
} from '@mainframe/protocol'
import type { Account } from '../chain/account.ts'
import type { Chain, ChannelSlot } from '../chain/chain.ts'
import type { Relay } from '../directory/relay.ts'
import type { Store } from '../store/store.ts'
import type { Budget } from './budget.ts'
import {
  type ChannelRecord,
  readChannels,
  signedOn,
  tokenOf,
  writeChannel,
} from './channel-records.ts'
import { deposit } from './deposit.ts'
import { domainOf } from './quote-check.ts'

/** What paying takes. */
export interface ChannelContext {
  chain: Chain
  account: Account
  store: Store
  /** Key that signs vouchers; it can only pay the relays of its channels. */
  signerSecretKey: Uint8Array
  budget: Budget
}

/** What a channel is wanted for. */
export interface ChannelWish {
  relay: Relay
  quote: Quote
  /** Deposit of a new channel and of a top-up, in base units; raised to what the relay wants. */
  depositBase: bigint
  /** Prepaid and unspent at most. */
  windowUnits: number
}

/** Windows that the smallest deposit holds (PROTOCOL.md §4). */
const WINDOWS_PER_DEPOSIT = 10n

/**
 * The channel to a relay, with what was signed on it: the one that is there, or a new one, for which
 * it waits until the deposit is in a block. Throws `PAYMENT_UNVERIFIED` while an earlier channel is
 * closing, `PAYMENT_INSUFFICIENT`, `CHAIN_REJECTED`.
 */
export async function openChannel(ctx: ChannelContext, wish: ChannelWish): Promise<PayerChannel> {
  const { terms, id } = await termsFor(ctx, wish)
  const slot = await readSlot(ctx, id)
  if (slot.closesAt !== 0) throw closing(wish.relay)
  const least = leastDeposit(wish)
  // also before money moves: a channel that nobody remembers is never closed
  const found = await remembered(ctx, { wish, terms, id, slot })
  if (slot.deposit >= least) return found
  const wanted = wish.depositBase > least ? wish.depositBase : least
  await deposit(ctx, terms, { wanted: wanted - slot.deposit, least: least - slot.deposit })
  return await remembered(ctx, { wish, terms, id, slot: await readSlot(ctx, id) })
}

/** The channel as the chain shows it, once it is in the store with what was signed on it. */
async function remembered(
  ctx: ChannelContext,
  facts: { wish: ChannelWish; terms: ChannelTerms; id: Hex; slot: ChannelSlot },
): Promise<PayerChannel> {
  const { wish, terms, id, slot } = facts
  const known = (await readChannels(ctx.store)).find(({ channelId }) => channelId === id)
  // amounts of an earlier epoch are void; in this one they only grow, and what was claimed was signed
  const signedBase = known?.epoch === slot.epoch ? known.signedBase : 0n
  const { day, dayBase } = known ?? {}
  const record: ChannelRecord = {
    ...(day === undefined || dayBase === undefined ? {} : { day, dayBase }),
    channelId: id,
    nodeId: wish.relay.nodeId,
    payee: wish.relay.payee,
    token: toHex(terms.token),
    signer: toHex(terms.signer),
    noticeSeconds: terms.noticeSeconds,
    epoch: slot.epoch,
    signedBase: signedBase > slot.claimed ? signedBase : slot.claimed,
  }
  await writeChannel(ctx.store, record)
  assertCountable(record, wish)
  return payerChannel(ctx, { wish, terms, slot, record })
}

/** The same channel with a larger deposit. Throws `PAYMENT_INSUFFICIENT`, `CHAIN_REJECTED`. */
export async function topUpChannel(
  ctx: ChannelContext,
  channel: PayerChannel,
  wantedBase: bigint,
): Promise<PayerChannel> {
  const least = unitsToBase(channel.windowUnits, channel.baseUnitsPerUnit)
  await deposit(ctx, channel.terms, { wanted: wantedBase > least ? wantedBase : least, least })
  return await refreshChannel(ctx, channel)
}

/** The same channel with the deposit that the chain shows now. Throws `PAYMENT_UNVERIFIED`. */
export async function refreshChannel(
  ctx: ChannelContext,
  channel: PayerChannel,
): Promise<PayerChannel> {
  const { deposit: depositBase, epoch, closesAt } = await readSlot(ctx, toHex(channel.channelId))
  const isOpen = depositBase > 0n && closesAt === 0
  if (isOpen && epoch === channel.epoch) return { ...channel, depositBase }
  throw new MainframeError('PAYMENT_UNVERIFIED', 'The channel was closed meanwhile; open another', {
    details: { channelId: toHex(channel.channelId) },
    retryable: true,
  })
}

/** The channel as far as today's budget goes: what a link may sign away ends where either ends. */
export async function withinBudget(
  { budget }: Pick<ChannelContext, 'budget'>,
  channel: PayerChannel,
): Promise<PayerChannel> {
  const { remainingBase } = await budget.today()
  if (remainingBase === undefined) return channel
  const end = channel.signedBase + remainingBase
  return end < channel.depositBase ? { ...channel, depositBase: end } : channel
}

async function termsFor(
  { chain, account, store, signerSecretKey }: ChannelContext,
  { relay, quote }: ChannelWish,
): Promise<{ terms: ChannelTerms; id: Hex }> {
  const signer = secretKeyAccount(signerSecretKey)
  const bounds = await chain.noticeBounds()
  const known = (await readChannels(store)).find(
    (record) =>
      record.nodeId === relay.nodeId &&
      record.payee === relay.payee &&
      tokenOf(record, chain.deployment) === toHex(quote.token) &&
      record.signer === toHex(signer) &&
      record.noticeSeconds >= quote.noticeSeconds,
  )
  if (quote.noticeSeconds > bounds.maximum) throw badNotice(relay)
  const terms: ChannelTerms = {
    payer: fromHex(account.address),
    payee: fromHex(relay.payee),
    token: quote.token,
    signer,
    // A channel that is there goes on, also when the relay would be content with less by now.
    noticeSeconds: known?.noticeSeconds ?? Math.max(quote.noticeSeconds, bounds.minimum),
  }
  return { terms, id: toHex(channelId(terms)) }
}

/** The relay's minimum, and ten windows. */
function leastDeposit({ quote, windowUnits }: ChannelWish): bigint {
  const windows = WINDOWS_PER_DEPOSIT * unitsToBase(windowUnits, quote.baseUnitsPerUnit)
  return quote.minDepositBase > windows ? quote.minDepositBase : windows
}

async function readSlot({ chain }: ChannelContext, id: Hex): Promise<ChannelSlot> {
  const [slot] = await chain.slots([id])
  if (!slot) throw new MainframeError('CHAIN_MISMATCH', 'The chain answers no channel')
  return slot
}

function payerChannel(
  { chain, store, signerSecretKey, budget }: ChannelContext,
  facts: { wish: ChannelWish; terms: ChannelTerms; slot: ChannelSlot; record: ChannelRecord },
): PayerChannel {
  const { wish, terms, slot, record } = facts
  let current = record
  return {
    terms,
    channelId: fromHex(record.channelId),
    epoch: slot.epoch,
    depositBase: slot.deposit,
    signedBase: record.signedBase,
    baseUnitsPerUnit: wish.quote.baseUnitsPerUnit,
    windowUnits: wish.windowUnits,
    domainSeparator: domainSeparator(domainOf(chain.deployment)),
    signerSecretKey,
    record: async (signedBase) => {
      const day = await budget.count(signedBase - current.signedBase)
      current = signedOn(current, day, signedBase)
      await writeChannel(store, current)
    },
  }
}

/** A relay may lower its rate until what was signed before is more units than a link can count. */
function assertCountable({ signedBase, nodeId }: ChannelRecord, wish: ChannelWish): void {
  const units = countableUnits(signedBase, wish.quote.baseUnitsPerUnit)
  if (Number.isSafeInteger(units + wish.windowUnits)) return
  throw new MainframeError(
    'PAYMENT_UNVERIFIED',
    'The relay’s unit is too small for what the channel has paid already; use another relay',
    { details: { nodeId } },
  )
}

function closing({ nodeId }: Relay): MainframeError {
  return new MainframeError(
    'PAYMENT_UNVERIFIED',
    'The channel to this relay is closing; use another relay',
    { details: { nodeId } },
  )
}

function badNotice({ nodeId }: Relay): MainframeError {
  return new MainframeError(
    'PAYMENT_UNVERIFIED',
    'The relay wants a longer notice than the contract allows; use another relay',
    { details: { nodeId } },
  )
}
