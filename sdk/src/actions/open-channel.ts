import { type Hex, toHex } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'

/** The channel to the entry relay. */
export interface OpenedChannel {
  channelId: Hex
  /** The entry relay. */
  nodeId: Hex
  depositBase: bigint
  signedBase: bigint
}

/**
 * Connects to the entry relay and opens a channel to it, or finds the one that is open; sending does
 * so by itself. Throws `NETWORK_NO_RELAY`, `PAYMENT_INSUFFICIENT`, `CHAIN_REJECTED`…
 */
export async function openChannel({ entry, chain }: ClientContext): Promise<OpenedChannel> {
  const { relay, link } = await entry.connect()
  const { channel } = link
  const channelId = toHex(channel?.channelId ?? new Uint8Array(32))
  // a link knows no more of the deposit than the day's budget lets it sign away
  const [slot] = await chain.slots([channelId])
  return {
    nodeId: relay.nodeId,
    channelId,
    depositBase: slot?.deposit ?? 0n,
    signedBase: channel?.signedBase ?? 0n,
  }
}
