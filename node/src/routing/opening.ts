/** What a destination does with a packet that it can open (PROTOCOL.md §2, step 6). */
import {
  decodeInstruction,
  type Forward,
  type KeyPair,
  NAMED_RELAY,
  openPacket,
  type PacketHeader,
  packetEnc,
} from '@mainframe/protocol'
import type { OpenedOutcome } from './outcomes.ts'
import type { SeenMemory } from './seen.ts'

export interface Opener {
  /** Seal keys, the newest first. */
  sealKeys: readonly KeyPair[]
  /** Encapsulated keys that were acted on. */
  acted: SeenMemory
  /**
   * FORWARDs that expire up to this minute are not executed: they may have been before a crash that
   * took the memory with it. 0 when nothing was forgotten.
   */
  forgottenUntilMinutes: number
}

/** `undefined`: not for this relay, the common case. */
export type Opened =
  | undefined
  | { outcome: Exclude<OpenedOutcome, 'forward'> }
  | { outcome: 'forward'; forward: Forward }

export interface Sealed {
  packet: Uint8Array
  header: PacketHeader
  /** What the inner packet may carry: the postage that came in, less this relay's fee. */
  budgetUnits: number
  nowMs: number
}

/** Opens a packet and decides what to do; acts at most once on an encapsulated key. */
export function open(opener: Opener, sealed: Sealed): Opened {
  const content = openWith(opener.sealKeys, sealed.packet)
  if (content === 'unopened') return undefined
  if (content === 'damaged') return { outcome: 'damaged' }
  const instruction = decodeInstruction(content)
  if (!instruction) return { outcome: 'invalid' }
  if (instruction.kind !== 'forward') return { outcome: instruction.kind }
  return decideForward(opener, sealed, instruction)
}

function decideForward(opener: Opener, sealed: Sealed, forward: Forward): Opened {
  const { header, packet, budgetUnits, nowMs } = sealed
  // Elsewhere a FORWARD could live for days, longer than what was acted on is remembered.
  if (header.luminosity !== NAMED_RELAY) return { outcome: 'misplaced' }
  if (header.expiryMinutes <= opener.forgottenUntilMinutes) return { outcome: 'restarted' }
  const enc = packetEnc(packet)
  if (opener.acted.levelOf(enc, nowMs) !== undefined) return { outcome: 'repeated' }
  if (forward.postageUnits > budgetUnits) return { outcome: 'short' }
  if (opener.acted.isFull(nowMs)) return { outcome: 'crowded' }
  opener.acted.note(enc, 0, nowMs)
  return { outcome: 'forward', forward }
}

function openWith(keys: readonly KeyPair[], packet: Uint8Array): ReturnType<typeof openPacket> {
  for (const key of keys) {
    const content = openPacket(packet, key)
    if (content !== 'unopened') return content
  }
  return 'unopened'
}
