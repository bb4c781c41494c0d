/** Asking a relay to let one of our channels to it go at once (PROTOCOL.md §4.3). */
import {
  type ChannelsDomain,
  MainframeError,
  PayerLink,
  type ReleaseAnswer,
} from '@mainframe/protocol'
import type { RelayEntry } from '../chain/directory.ts'
import { shakeHands } from './handshake.ts'
import type { Network } from './network.ts'

/** Time to dial, and for the relay to make the end durable and to sign it. */
const TIMEOUT_MS = 10_000

export interface AskReleaseOptions {
  network: Pick<Network, 'open'>
  domain: ChannelsDomain
  addressesOf(relay: RelayEntry, failures: number, signal: AbortSignal): Promise<readonly string[]>
  /** The relay stops. */
  signal: AbortSignal
}

/** The answer to a body of `releaseRequest`, unchecked. Rejects when there is none. */
export async function askRelease(
  relay: RelayEntry,
  body: Uint8Array,
  { network, domain, addressesOf, signal }: AskReleaseOptions,
): Promise<ReleaseAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  const multiaddrs = [...(await addressesOf(relay, 0, limit))]
  const link = new PayerLink(await network.open({ ...relay, multiaddrs }, limit), {})
  const reason = new MainframeError('NETWORK_TIMEOUT', 'The peer did not answer')
  const onAbort = () => link.abort(reason)
  limit.addEventListener('abort', onAbort, { once: true })
  try {
    await shakeHands(link, domain, limit)
    return await link.release(body)
  } finally {
    limit.removeEventListener('abort', onAbort)
    await link.close()
  }
}
