/** Putting fragments together, within bounds that no sender can push. */
import { concatBytes, equalBytes } from '@mainframe/protocol'
import { createBitmap, setBit } from './bitmap.ts'
import type { Piece } from './payload.ts'

/** What incomplete messages may take. */
export interface ReassemblyLimits {
  /** Messages at a time. */
  messages: number
  /** Bytes of all their fragments together. */
  bytes: number
  /** How long after its last fragment an incomplete message is kept. */
  idleMs: number
}

/** Four of the longest messages at a time, or many short ones; a sender's retries come within the hour. */
export const reassemblyDefaults: ReassemblyLimits = {
  messages: 256,
  bytes: 32 * 1024 * 1024,
  idleMs: 2 * 3_600_000,
}

/** A fragment as far as putting together is concerned. */
type Part = Piece & { replyTo?: Uint8Array | undefined }

/** A message of which some fragments have come, or all. */
export interface PartialMessage {
  /** Where acknowledgements go; nowhere for a message to a group. */
  replyTo: Uint8Array | undefined
  count: number
  received: Uint8Array
  fragments: (Uint8Array | undefined)[]
  arrived: number
  bytes: number
  lastAtMs: number
}

/** Plain state; change it by the functions of this file only. Keys are message ids in hex. */
export interface Reassembly {
  readonly limits: ReassemblyLimits
  /** The least recently touched first. */
  readonly partials: Map<string, PartialMessage>
  bytes: number
}

/**
 * `stored`: one more fragment; `complete`: it was the last one; `duplicate`: it was there;
 * `inconsistent`: the message's other fragments say otherwise; `full`: no room for another message.
 */
export type AddOutcome = 'stored' | 'complete' | 'duplicate' | 'inconsistent' | 'full'

export function createReassembly(limits: ReassemblyLimits = reassemblyDefaults): Reassembly {
  return { limits, partials: new Map(), bytes: 0 }
}

/**
 * Takes a fragment. `evicted` are the messages that had to make room: the least recently touched
 * incomplete ones. Complete messages wait for their handler and are never evicted.
 */
export function addFragment(
  state: Reassembly,
  added: { key: string; fragment: Part; nowMs: number },
): { outcome: AddOutcome; evicted: string[] } {
  const { key, fragment, nowMs } = added
  const known = state.partials.get(key)
  if (known && !fits(known, fragment)) return { outcome: 'inconsistent', evicted: [] }
  if (known?.fragments[fragment.index]) return { outcome: 'duplicate', evicted: [] }
  const room = makeRoom(state, { key, isNew: !known, bytes: fragment.bytes.length })
  if (!room.found) return { outcome: 'full', evicted: room.evicted }
  const partial = known ?? emptyPartial(fragment)
  store(partial, fragment, nowMs)
  state.bytes += fragment.bytes.length
  state.partials.delete(key)
  state.partials.set(key, partial)
  return { outcome: isComplete(partial) ? 'complete' : 'stored', evicted: room.evicted }
}

export function isComplete({ arrived, count }: PartialMessage): boolean {
  return arrived === count
}

/** The bytes of a complete message. */
export function assemble({ fragments }: PartialMessage): Uint8Array {
  return concatBytes(...fragments.filter((bytes) => bytes !== undefined))
}

export function removePartial(state: Reassembly, key: string): void {
  state.bytes -= state.partials.get(key)?.bytes ?? 0
  state.partials.delete(key)
}

/** Removes and names the incomplete messages that nothing has come of for too long. */
export function expirePartials(state: Reassembly, nowMs: number): string[] {
  const expired = [...state.partials].filter(
    ([, partial]) => !isComplete(partial) && nowMs - partial.lastAtMs > state.limits.idleMs,
  )
  for (const [key] of expired) removePartial(state, key)
  return expired.map(([key]) => key)
}

const NOBODY = new Uint8Array(0)

function fits(partial: PartialMessage, { count, replyTo }: Part): boolean {
  return partial.count === count && equalBytes(partial.replyTo ?? NOBODY, replyTo ?? NOBODY)
}

function emptyPartial({ replyTo, count }: Part): PartialMessage {
  return {
    replyTo: replyTo?.slice(),
    count,
    received: createBitmap(count),
    fragments: new Array<Uint8Array | undefined>(count).fill(undefined),
    arrived: 0,
    bytes: 0,
    lastAtMs: 0,
  }
}

function store(partial: PartialMessage, { index, bytes }: Part, nowMs: number): void {
  partial.fragments[index] = bytes.slice() // a view would keep the whole packet in memory
  partial.arrived += 1
  partial.bytes += bytes.length
  partial.lastAtMs = nowMs
  setBit(partial.received, index)
}

function makeRoom(state: Reassembly, need: { key: string; isNew: boolean; bytes: number }) {
  const { limits, partials } = state
  const evicted: string[] = []
  const lacks = () =>
    state.bytes + need.bytes > limits.bytes || (need.isNew && partials.size >= limits.messages)
  for (const [key, partial] of partials) {
    if (!lacks()) break
    if (key === need.key || isComplete(partial)) continue
    removePartial(state, key)
    evicted.push(key)
  }
  return { found: !lacks(), evicted }
}
