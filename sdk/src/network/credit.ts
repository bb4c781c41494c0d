/** What to do when a relay takes no further voucher: wait, deposit more, or leave. */
import type { CreditStop, PayerLink } from '@mainframe/protocol'
import { type Clock, sleep } from '../clock.ts'
import type { Settings } from '../options.ts'
import {
  type ChannelContext,
  refreshChannel,
  topUpChannel,
  withinBudget,
} from '../payments/channels.ts'
import type { ParcelShipment } from './courier.ts'

/** A link that is paid from a channel. */
export interface FundedLink {
  link: PayerLink<ParcelShipment>
  /** Since when the relay does not see the deposit; undefined while it takes vouchers. */
  unseenSinceMs: number | undefined
}

export interface CreditOptions {
  channels: ChannelContext
  clock: Clock
  settings: Settings
  signal: AbortSignal
}

/** `kept`: the link goes on. Otherwise leave it, because of an error or of what the relay said. */
export type CreditDecision = 'kept' | { error: unknown }

/** What a relay says until it has seen a deposit, or while it is busy. */
const PATIENCE: ReadonlySet<CreditStop> = new Set([
  'unknown-channel',
  'over-deposit',
  'small-deposit',
  'over-window',
  'busy',
])

/** Acts on a stop. Never rejects. */
export async function keepCredit(
  funded: FundedLink,
  reason: CreditStop,
  options: CreditOptions,
): Promise<CreditDecision> {
  try {
    if (reason === 'exhausted') return await topUp(funded, options)
    if (PATIENCE.has(reason)) return await askAgain(funded, options)
    return { error: undefined }
  } catch (error) {
    return { error }
  }
}

/** Throws `PAYMENT_BUDGET` when it is not the deposit that has ended. */
async function topUp({ link }: FundedLink, options: CreditOptions): Promise<CreditDecision> {
  if (!link.channel) return { error: undefined }
  const { channels, settings } = options
  await channels.budget.assertLeft()
  const known = await refreshChannel(channels, link.channel)
  const { remainingBase } = await channels.budget.today()
  const unsignedBase = known.depositBase - known.signedBase
  // a new day, or a channel with more in it than may be spent: no reason to deposit
  const isEnough = remainingBase !== undefined && unsignedBase >= remainingBase
  const channel = isEnough ? known : await topUpChannel(channels, known, settings.depositBase)
  if (!link.isClosed) link.fund(await withinBudget(channels, channel))
  return 'kept'
}

async function askAgain(funded: FundedLink, options: CreditOptions): Promise<CreditDecision> {
  const { channels, clock, settings, signal } = options
  const { fundRetryMs, confirmMs } = settings.profile
  funded.unseenSinceMs ??= clock.now()
  if (clock.now() - funded.unseenSinceMs > confirmMs) return { error: undefined }
  await sleep(clock, fundRetryMs, signal)
  const { link } = funded
  if (!link.channel || link.isClosed) return 'kept'
  const channel = await refreshChannel(channels, link.channel)
  if (!link.isClosed) link.fund(await withinBudget(channels, channel))
  return 'kept'
}
