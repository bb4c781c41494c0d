/** This relay's own outgoing channels, as the chain has them. */
import type { ChannelRow, Deployment, Hex } from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'

/** Channels that the account pays and signs for, in MFT, as confirmed; closed ones left out. */
export function* outgoingChannels(
  { channels }: Pick<Directory, 'channels'>,
  { token }: Deployment,
  account: Hex,
): Generator<ChannelRow> {
  const mft = token.toLowerCase()
  for (const row of channels.values()) {
    const isOurs = row.payer === account && row.signer === account && row.token === mft
    if (isOurs && row.state !== 'closed') yield row
  }
}
