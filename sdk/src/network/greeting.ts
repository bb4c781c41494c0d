import {
  type Deployment,
  fromHex,
  type Hello,
  LINK_VERSION,
  MainframeError,
  type PayerLink,
  type Shipment,
} from '@mainframe/protocol'

/** Time for a relay to answer a HELLO. */
const TIMEOUT_MS = 10_000

/** Exchanges HELLOs on a new link. Throws `NETWORK_TIMEOUT` or `NETWORK_CLOSED`. */
export async function greet<S extends Shipment>(
  link: PayerLink<S>,
  { chainId, channels }: Deployment,
): Promise<Hello> {
  const hello = {
    version: LINK_VERSION,
    chainId,
    channels: fromHex(channels, 20),
    signedQuotes: [],
  }
  const late = new MainframeError('NETWORK_TIMEOUT', 'The relay does not answer; try another', {
    retryable: true,
  })
  const timer = setTimeout(() => link.abort(late), TIMEOUT_MS)
  try {
    return await link.handshake(hello)
  } finally {
    clearTimeout(timer)
  }
}
