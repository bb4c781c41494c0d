/** Asking a relay to let a channel end at once (PROTOCOL.md §4.3). */
import {
  type EndingChannel,
  MainframeError,
  PayerLink,
  type ReleaseAnswer,
  releaseRequest,
} from '@mainframe/protocol'
import type { Relay } from '../directory/relay.ts'
import { greet } from '../network/greeting.ts'
import type { Connect } from '../network/host.ts'
import type { ChannelContext } from './channels.ts'

/** Time for a relay to make the end durable and to sign it. */
const TIMEOUT_MS = 10_000

/**
 * The relay's answer, unchecked, over a connection of its own. Rejects when the relay cannot be
 * reached or does not answer.
 */
export async function askRelease(
  relay: Relay,
  channel: EndingChannel,
  ctx: Pick<ChannelContext, 'chain' | 'signerSecretKey'> & { connect: Connect },
): Promise<ReleaseAnswer> {
  const connection = await ctx.connect(relay, AbortSignal.timeout(TIMEOUT_MS))
  const link = new PayerLink(connection.stream, {})
  const late = new MainframeError('NETWORK_TIMEOUT', 'The relay does not answer')
  let timer: NodeJS.Timeout | undefined
  try {
    await greet(link, ctx.chain.deployment)
    timer = setTimeout(() => link.abort(late), TIMEOUT_MS)
    return await link.release(releaseRequest(channel, ctx.signerSecretKey))
  } finally {
    clearTimeout(timer)
    await link.close()
    await connection.close()
  }
}
