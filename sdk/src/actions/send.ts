import {
  decodeContactCode,
  encodeInstruction,
  type HoldClass,
  inboxAddress,
  MainframeError,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { carriersOf, chooseHops } from '../directory/choose.ts'
import type { OutgoingMessage, SendProgress, SendState } from '../messages/outgoing.ts'
import { assertDelay } from '../options.ts'
import { noTaker } from '../payments/medium.ts'
import { randomBytes } from '../random.ts'
import { type Estimate, estimate } from './estimate.ts'

/** A message and how it is to travel; what is left out is as the client was opened. */
export interface SendParameters {
  /** Contact code of the recipient. */
  to: string
  /** At most 1 MiB. */
  bytes: Uint8Array
  hops?: number
  holdClass?: HoldClass
  /** Mean delay at each hop, in milliseconds. */
  delayMs?: number
  /** When to give up; as long as relays hold the message unless given. */
  timeoutMs?: number
  /** Gives the message up; what has left cannot be called back. */
  signal?: AbortSignal
  /** Told whenever more of it has left, or has arrived. */
  onProgress?: (progress: SendProgress) => void
}

/** A message on its way. */
export interface Sent extends Estimate {
  /** 16 random bytes in hex; the recipient sees the same. */
  messageId: string
  readonly state: SendState
  readonly progress: SendProgress
  /** Resolves when the entry relay has taken every packet; rejects like {@link delivered}. */
  accepted: Promise<void>
  /**
   * Resolves when the recipient has acknowledged the whole message. Rejects with
   * `MESSAGE_UNDELIVERED`, `PAYMENT_INSUFFICIENT`, `NETWORK_CLOSED`…
   */
  delivered: Promise<void>
}

/**
 * Sends a message and goes on sending what is missing until the recipient acknowledges it. Resolves
 * when it is queued, which takes a while only when 16 MiB are on their way already. Throws
 * `MESSAGE_TOO_LONG`, `CODEC_INVALID` (contact code), `CONFIG_INVALID`, `NETWORK_NO_RELAY`,
 * `PAYMENT_NO_MEDIUM`, `PAYMENT_BUDGET`, and what the directory throws.
 */
export async function send(context: ClientContext, parameters: SendParameters): Promise<Sent> {
  const { settings, clock, outbox } = context
  const { to: code, bytes, delayMs = settings.delayMs, signal } = parameters
  const to = decodeContactCode(code)
  assertDelay(delayMs)
  const { hops, holdClass } = parameters
  const forecast = await estimate(context, {
    length: bytes.length,
    to: code,
    ...(hops === undefined ? {} : { hops }),
    ...(holdClass === undefined ? {} : { holdClass }),
  })
  assertUsable(to)
  await assertSendable(context, forecast)
  signal?.throwIfAborted()
  const message = await outbox.send({
    to,
    bytes: bytes.slice(),
    messageId: randomBytes(16),
    count: forecast.packets,
    holdClass: forecast.holdClass,
    hops: forecast.hops,
    delayMs,
    deadlineMs: clock.now() + (parameters.timeoutMs ?? forecast.holdMs),
    onProgress: parameters.onProgress,
  })
  if (signal) giveUpOn(signal, message)
  return {
    ...forecast,
    messageId: message.key,
    get state() {
      return message.state
    },
    get progress() {
      return message.progress
    },
    accepted: message.whenAccepted,
    delivered: message.whenDelivered,
  }
}

/** Some X25519 keys cannot be sealed for; better said now than after the first packet. */
export function assertUsable(publicKey: Uint8Array): void {
  sealLayer({
    header: { luminosity: 0, address: inboxAddress(publicKey), expiryMinutes: roundUpExpiry(1) },
    publicKey,
    content: encodeInstruction({ kind: 'drop' }),
  })
}

/**
 * Whether there are an entry relay and hops now, and money that may be spent. Throws
 * `NETWORK_NO_RELAY`, `PAYMENT_NO_MEDIUM`, `PAYMENT_BUDGET`.
 */
export async function assertSendable(
  context: ClientContext,
  { hops: count, postageUnits }: Pick<Estimate, 'hops' | 'postageUnits'>,
): Promise<void> {
  const { directory, entry, random, settings, channels } = context
  if (!entry.current?.link.canTake(postageUnits)) await channels.budget.assertLeft()
  const view = await directory.fresh()
  const relay = entry.relay ?? entry.choose(view)
  if (!relay) {
    if (carriersOf(view).length > 0) throw noTaker(settings.medium)
    throw new MainframeError('NETWORK_NO_RELAY', 'No relay carries packets; wait until one does', {
      retryable: true,
    })
  }
  chooseHops({ view, entry: relay, count, random })
}

/** Gives a message up when a signal says so. */
export function giveUpOn(signal: AbortSignal, message: OutgoingMessage): void {
  const onAbort = () => message.fail(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  void message.whenOver.then(() => signal.removeEventListener('abort', onAbort))
}
