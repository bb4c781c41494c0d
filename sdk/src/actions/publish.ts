import { type HoldClass, MainframeError, toHex } from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import type { SendState } from '../messages/outgoing.ts'
import { publicationCount } from '../messages/payload.ts'
import { assertDelay } from '../options.ts'
import { randomBytes } from '../random.ts'
import { type Estimate, estimateFor } from './estimate.ts'
import { assertSendable, assertUsable, giveUpOn } from './send.ts'

/** The inbox of a group as of one epoch. */
export interface GroupKey {
  /** 32 bytes. */
  address: Uint8Array
  /** X25519 public key of the epoch. */
  publicKey: Uint8Array
}

export interface PublishParameters {
  to: GroupKey
  /** At most 1 MiB. */
  bytes: Uint8Array
  /**
   * 16 bytes; random unless given. The same id again, under the same key, completes what recipients
   * lack of a message, and is nothing new to the others.
   */
  messageId?: Uint8Array
  hops?: number
  holdClass?: HoldClass
  /** Mean delay at each hop, in milliseconds. */
  delayMs?: number
  /** When to give up getting it to an entry relay; as long as relays would hold it unless given. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** A message for a group on its way. */
export interface Published extends Estimate {
  /** In hex, as members see it. */
  messageId: string
  readonly state: SendState
  /** Resolves when the entry relay has taken every packet, which ends the client's part. */
  accepted: Promise<void>
  /**
   * Whether all of it came back from relays that hold it for the group, to a client that listens there;
   * always false for one that does not. Never rejects.
   */
  returned: Promise<boolean>
}

/**
 * Publishes to the inbox of a group. Nobody acknowledges it, nothing in it names the sender, and after
 * the entry relay has taken it nothing is sent again. A client that listens at this address is not
 * handed its own messages. Resolves when it is queued. Throws like `send`, and `VALIDATION_FAILED`.
 */
export async function publish(
  context: ClientContext,
  parameters: PublishParameters,
): Promise<Published> {
  const { settings, clock, outbox, groups } = context
  const { to, bytes, messageId = randomBytes(16), signal } = parameters
  const { hops = settings.hops, holdClass = settings.holdClass } = parameters
  const { delayMs = settings.delayMs } = parameters
  if (to.address.length !== 32 || messageId.length !== 16) throw misshapen()
  assertDelay(delayMs)
  const length = bytes.length
  const count = publicationCount(length)
  const forecast = await estimateFor(context, { ...to, length, count, hops, holdClass })
  assertUsable(to.publicKey)
  await assertSendable(context, forecast)
  signal?.throwIfAborted()
  // durable before any packet leaves: it would come back as a stranger's after a crash
  const isEchoed = await groups.willEcho(to.address, toHex(messageId).slice(2))
  const message = await outbox.send({
    to: to.publicKey,
    group: { address: to.address.slice(), isEchoed },
    bytes: bytes.slice(),
    messageId: messageId.slice(),
    count,
    holdClass,
    hops,
    delayMs,
    deadlineMs: clock.now() + (parameters.timeoutMs ?? forecast.holdMs),
    onProgress: undefined,
  })
  if (signal) giveUpOn(signal, message)
  return {
    ...forecast,
    messageId: message.key,
    get state() {
      return message.state
    },
    accepted: message.whenAccepted,
    returned: message.whenOver.then(() => message.arrived === count),
  }
}

function misshapen(): MainframeError {
  return new MainframeError(
    'VALIDATION_FAILED',
    'The address of a group is 32 bytes, the id of a message 16',
  )
}
