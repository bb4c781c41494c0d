import type { EndingChannel, ReleaseAnswer } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { askRelease } from '../payments/ask-release.ts'
import { type ChannelRecord, mftOf, readChannels, tokenOf } from '../payments/channel-records.ts'
import { advanceClose, type CloseOutcome, emptyVaults } from '../payments/close-channel.ts'

/**
 * Takes every channel one step towards its end. A relay that can be reached lets it go at once; for the
 * others it asks the chain, and takes the rest of the deposit back once the notice has passed: call it
 * again after `closesAtSeconds`. What comes back goes into the wallet. Messages that are sent afterwards
 * go through another entry relay and a new channel.
 */
export async function closeChannel(context: ClientContext): Promise<CloseOutcome[]> {
  const { entry, guards, store, channels, settings } = context
  await entry.disconnect()
  const outcomes: CloseOutcome[] = []
  const records = await readChannels(store)
  for (const record of records) {
    await guards.unpin(record.nodeId)
    const ask = (channel: EndingChannel) => consent(context, record, channel)
    outcomes.push(await advanceClose(channels, record, ask))
  }
  const { deployment } = channels.chain
  const tokens = records.map((record) => tokenOf(record, deployment))
  const own = [mftOf(deployment), settings.medium.token]
  await emptyVaults(channels, [...new Set([...own, ...tokens])])
  return outcomes
}

/** A relay that is gone, and an indexer or relay that does not answer, only make it take longer. */
async function consent(
  { directory, channels, connect }: ClientContext,
  { nodeId }: ChannelRecord,
  channel: EndingChannel,
): Promise<ReleaseAnswer | undefined> {
  try {
    const relay = (await directory.fresh()).byId.get(nodeId)
    return relay && (await askRelease(relay, channel, { ...channels, connect }))
  } catch {
    return undefined
  }
}
