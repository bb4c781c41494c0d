/** This relay's own outgoing channels, as the chain has them. */
import type { ChannelRow, Hex } from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'

/** Channels that the account pays and signs for, in whatever token, as confirmed; closed ones left out. */
export function* outgoingChannels(
  { channels }: Pick<Directory, 'channels'>,
  account: Hex,
): Generator<ChannelRow> {
  for (const row of channels.values()) {
    const isOurs = row.payer === account && row.signer === account
    if (isOurs && row.state !== 'closed') yield row
  }
}
