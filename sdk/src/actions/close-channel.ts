import type { ClientContext } from '../context.ts'
import { readChannels } from '../payments/channel-records.ts'
import { advanceClose, type CloseOutcome } from '../payments/close-channel.ts'

/**
 * Takes every channel one step towards its end: asks to close it, and once the notice has passed
 * takes the rest of the deposit back into the wallet. Call it again after `closesAtSeconds`.
 * Messages that are sent afterwards go through another entry relay and a new channel.
 */
export async function closeChannel(context: ClientContext): Promise<CloseOutcome[]> {
  const { entry, guards, store, channels } = context
  await entry.disconnect()
  const outcomes: CloseOutcome[] = []
  for (const record of await readChannels(store)) {
    await guards.unpin(record.nodeId)
    outcomes.push(await advanceClose(channels, record))
  }
  return outcomes
}
