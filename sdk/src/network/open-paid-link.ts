/** A connection to one relay, greeted, checked and with a channel that pays for it. */
import {
  dearestPostage,
  MainframeError,
  type PayerChannel,
  type PayerLink,
  type Quote,
} from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { DirectoryView, Relay } from '../directory/relay.ts'
import type { Settings } from '../options.ts'
import { type ChannelContext, openChannel, withinBudget } from '../payments/channels.ts'
import { checkQuote } from '../payments/quote-check.ts'
import type { ParcelShipment } from './courier.ts'
import { greet } from './greeting.ts'
import type { Connect, Connection } from './host.ts'

export interface PaidLinkOptions {
  channels: ChannelContext
  connect: Connect
  clock: Clock
  settings: Settings
  signal: AbortSignal
  createLink(connection: Connection): PayerLink<ParcelShipment>
}

/** What the link is to be funded with. */
export interface PaidLink {
  link: PayerLink<ParcelShipment>
  connection: Connection
  channel: PayerChannel
}

/** A packet of the dearest kind fits a window this often (PROTOCOL.md §4). */
const PACKETS_PER_WINDOW = 4
/** Below the relay's maximum, as the first voucher of a link adds a unit. */
const WINDOW_SHARE = 0.8

/** Throws why this relay cannot be used; then nothing of it stays open. */
export async function openPaidLink(
  relay: Relay,
  view: DirectoryView,
  options: PaidLinkOptions,
): Promise<PaidLink> {
  const { channels, clock, connect, settings, signal, createLink } = options
  const { deployment } = channels.chain
  const connection = await connect(relay, signal)
  const link = createLink(connection)
  try {
    const hello = await greet(link, deployment)
    const { medium, limits, depositBase } = settings
    const quote = checkQuote({ relay, hello, deployment, medium, limits, nowMs: clock.now() })
    const wish = { relay, quote, depositBase, windowUnits: windowOf(quote, view, relay) }
    const channel = await withinBudget(channels, await openChannel(channels, wish))
    return { link, connection, channel }
  } catch (error) {
    await link.close()
    await connection.close()
    throw error
  }
}

/** Prepaid at most: enough for some packets of the dearest kind, below what the relay accepts. */
function windowOf({ maxWindowUnits }: Quote, { table }: DirectoryView, { nodeId }: Relay): number {
  const dearest = dearestPostage(table)
  const accepted = Math.floor(maxWindowUnits * WINDOW_SHARE)
  if (accepted >= dearest) return Math.min(PACKETS_PER_WINDOW * dearest, accepted)
  throw new MainframeError(
    'PAYMENT_UNVERIFIED',
    'The relay accepts no window that a packet fits in; use another relay',
    { details: { nodeId } },
  )
}
