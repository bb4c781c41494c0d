/** HELLO on a link that this relay opens (PROTOCOL.md §3.1). */
import {
  type ChannelsDomain,
  type Hello,
  LINK_VERSION,
  MainframeError,
  type PayerLink,
  type Shipment,
} from '@mainframe/protocol'

const TIMEOUT_MS = 10_000

/** The peer's HELLO. Rejects with `NETWORK_CLOSED` when the link ends, when the signal says so, or in 10 s. */
export async function shakeHands<S extends Shipment>(
  link: PayerLink<S>,
  { chainId, contract }: ChannelsDomain,
  signal: AbortSignal,
): Promise<Hello> {
  const reason = new MainframeError('NETWORK_TIMEOUT', 'The peer did not answer')
  const onAbort = () => link.abort(reason)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  limit.addEventListener('abort', onAbort, { once: true })
  try {
    return await link.handshake({
      version: LINK_VERSION,
      chainId: Number(chainId),
      channels: contract,
      signedQuotes: [],
    })
  } finally {
    limit.removeEventListener('abort', onAbort)
  }
}
