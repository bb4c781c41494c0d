/** From a delivered packet to the message in it, if it is one of ours. */
import { decodeInstruction, headerOf, type Message, minutesNow } from '@mainframe/protocol'
import type { Agreed, Keyring } from './keyring.ts'

/** What was computed of a packet before it is received; the receiver computes what is missing. */
export interface Prepared {
  /** See `idOf`. */
  id?: string
  agreed?: Agreed
}

/** What a packet turned out to be: one with content, or nothing for us. */
export type Unsealed = Message | 'expired' | 'unopened' | 'damaged' | 'no-message'

/** Relays and clients may disagree about the time by this much. */
const CLOCK_SLACK_MINUTES = 10

export function unseal(
  packet: Uint8Array,
  { keyring, nowMs, agreed }: { keyring: Keyring; nowMs: number; agreed?: Agreed | undefined },
): Unsealed {
  const header = headerOf(packet)
  if (header === 'malformed') return 'damaged'
  // A packet older than our memory of completed messages could be delivered twice.
  if (header.expiryMinutes + CLOCK_SLACK_MINUTES < minutesNow(nowMs)) return 'expired'
  const content = keyring.open(packet, agreed)
  if (typeof content === 'string') return content
  const instruction = decodeInstruction(content)
  return instruction?.kind === 'message' ? instruction : 'no-message'
}
